//! The overview and the page of a queue: contents, updates, pausing and limits.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, echo, sleep, with};

fn in_queue(queue: &str, job: Value) -> Value {
    with(job, &json!({"queue": queue}))
}

/// Returns the texts of the cells in the row of a queue.
fn row(page: &Page, queue: &str) -> Vec<String> {
    let script = "return Array.from(document.querySelectorAll(`#queue-${arguments[0]} td`),
        (cell) => cell.innerText.trim())";
    let cells = page.run(script, &json!([queue]));
    cells.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_server_without_jobs_shows_how_to_start() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.wait_for_text("waits for its first job");
    server.wait_until_final(server.submit(&echo(1)));
    page.wait_for("the queue is listed", "document.getElementById('queue-default')");
    page.follow("Submit a job");
    page.wait_for_path("/submit");
    page.assert_clean();
}

#[test]
fn the_overview_updates_queues_lanes_and_failures() {
    let server = Server::start();
    server.patch("/v1/queues/mail", &json!({"max_running": 2})).expect(200);
    let Some(page) = Page::open(&server, "/") else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    let jobs: Vec<Value> = (0..5).map(|_| in_queue("mail", sleep("1h"))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    page.until("the queue shows 3 queued and 2 running", || {
        row(&page, "mail").starts_with(&["3".into(), "2".into()]).then_some(())
    });
    assert_eq!(page.text("#lanes tbody tr td").as_deref(), Some("2"));
    let call =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    let failed = server.submit(&call);
    server.wait_until_final(failed);
    page.wait_for(
        "the failed job is listed",
        &format!("document.querySelector('#failures a[href=\"/jobs/{failed}\"]')"),
    );
    assert_eq!(page.value("window.marker"), "the same page");
    page.follow(&failed.to_string());
    page.wait_for_path(&format!("/jobs/{failed}"));
    page.assert_clean();
}

#[test]
fn a_queue_can_be_paused_and_resumed_on_the_overview() {
    let server = Server::start();
    server.patch("/v1/queues/mail", &json!({"paused": false})).expect(200);
    let Some(page) = Page::open(&server, "/") else { return };
    page.click("[aria-label='Pause queue mail']");
    page.wait_for(
        "the queue is paused",
        "document.querySelector('[aria-label=\"Resume queue mail\"]')",
    );
    assert_eq!(server.queue("mail")["paused"], true);
    assert_eq!(page.path(), "/");
    page.click("[aria-label='Resume queue mail']");
    page.wait_for(
        "the queue is resumed",
        "document.querySelector('[aria-label=\"Pause queue mail\"]')",
    );
    assert_eq!(server.queue("mail")["paused"], false);
    page.assert_clean();
}

#[test]
fn the_charts_show_the_submitted_jobs() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..50).map(|_| echo(1)).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let Some(page) = Page::open(&server, "/") else { return };
    // Sums the rates of submitted jobs over the hour, one value per ten seconds.
    let script = "return document.querySelector('.chart [data-values]').dataset.values.split(';')
        .reduce((sum, value) => sum + (parseFloat(value) || 0), 0)";
    page.until("the fifty jobs are in the first chart", || {
        (page.run(script, &json!([])).as_f64() >= Some(4.9)).then_some(())
    });
    // The chart shows the values at the position of the pointer.
    let plot = "const box = document.querySelector('.chart .plot svg').getBoundingClientRect();
        document.querySelector('.chart .plot svg').dispatchEvent(new PointerEvent('pointermove',
            {bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + 5}))";
    page.run(plot, &json!([]));
    page.wait_for_text("30 min ago");
    page.assert_clean();
}

#[test]
fn the_limits_of_a_queue_can_be_changed_and_errors_are_shown() {
    let server = Server::start();
    server.submit(&in_queue("mail", sleep("1h")));
    let Some(page) = Page::open(&server, "/queues/mail") else { return };
    page.fill("#max_running", "none");
    page.press("Set limits");
    page.wait_for("the error is shown", "document.getElementById('max_running-error')?.innerText");
    page.fill("#max_running", "7");
    page.fill("#rate_limit", "30");
    page.fill("#rate_period", "1m");
    page.press("Set limits");
    page.wait_for_path("/queues/mail");
    page.wait_for("the new limit is shown", "document.getElementById('max_running').value === '7'");
    let queue = server.queue("mail");
    assert_eq!(queue["max_running"], 7);
    assert_eq!(queue["rate"], json!({"limit": 30, "period": "1m"}));
    // A limit that somebody else has changed in the meantime is kept.
    server.patch("/v1/queues/mail", &json!({"max_running": 9})).expect(200);
    page.fill("#rate_limit", "40");
    page.press("Set limits");
    page.wait_for("both limits are shown", "document.getElementById('max_running').value === '9'");
    assert_eq!(server.queue("mail")["max_running"], 9);
    assert_eq!(server.queue("mail")["rate"], json!({"limit": 40, "period": "1m"}));
    page.fill("#max_running", "");
    page.fill("#rate_limit", "");
    page.fill("#rate_period", "");
    page.press("Set limits");
    page.until("the limits are removed", || {
        server.queue("mail")["max_running"].is_null().then_some(())
    });
    assert_eq!(server.queue("mail")["rate"], Value::Null);
    page.assert_clean_except(&["status of 4"]);
}

#[test]
fn the_page_of_a_queue_updates_without_a_reload() {
    let server = Server::start();
    let first = server.submit(&in_queue("mail", sleep("1h")));
    server.submit(&in_queue("other", sleep("1h")));
    let Some(page) = Page::open(&server, "/queues/mail") else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    assert_eq!(page.count("#latest tbody tr"), 1);
    let second = server.submit(&in_queue("mail", echo(1)));
    page.wait_for(
        "both jobs are listed",
        &format!("document.querySelector('#latest #job-{second}')"),
    );
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    page.until("the first job is cancelled", || {
        let state = page.text(&format!("#latest #job-{first} .state"));
        (state.as_deref() == Some("cancelled")).then_some(())
    });
    assert_eq!(page.value("window.marker"), "the same page");
    page.press("Pause");
    page.wait_for_text("paused");
    assert_eq!(server.queue("mail")["paused"], true);
    page.press("Resume");
    page.until("the queue is resumed", || (server.queue("mail")["paused"] == false).then_some(()));
    page.follow("View jobs");
    page.wait_for_path("/jobs?queue=mail");
    page.assert_clean();
}
