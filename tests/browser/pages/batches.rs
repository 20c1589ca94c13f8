//! The list of batches and the page of a batch.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, echo, sleep};

fn submit(server: &Server, name: &str, jobs: &[Value]) -> i64 {
    let batch = json!({"name": name, "jobs": jobs});
    server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
}

/// Returns the progress that the page of a batch shows.
fn progress(page: &Page) -> String {
    page.text("#progress-title").unwrap_or_default()
}

#[test]
fn the_page_of_a_batch_updates_until_the_batch_is_finished() {
    let server = Server::start();
    let fails =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    let remote = json!({"kind": "show", "lane": "remote"});
    let batch = submit(&server, "Spring newsletter", &[echo(1), fails, remote]);
    let Some(page) = Page::open(&server, &format!("/batches/{batch}")) else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    page.wait_for_text("Spring newsletter");
    page.until("two jobs are finished", || progress(&page).starts_with("2 of 3").then_some(()));
    page.until("the failure is shown", || {
        page.text("#failures").filter(|text| text.contains("http") && text.contains("failed"))
    });
    let leased = server.post("/v1/leases", &json!({})).expect(200)["jobs"][0].clone();
    let done = json!({"lease_token": leased["lease_token"], "result": 1});
    server.post(&format!("/v1/leases/{}/complete", leased["id"]), &done).expect(200);
    page.until("all jobs are finished", || progress(&page).starts_with("3 of 3").then_some(()));
    page.wait_for(
        "the cancel button is gone",
        "!document.querySelector('#batch-head form[action$=cancel]')",
    );
    assert_eq!(page.value("window.marker"), "the same page");
    page.follow("View jobs");
    page.wait_for_path(&format!("/jobs?batch={batch}"));
    page.assert_clean();
}

#[test]
fn the_remaining_jobs_of_a_batch_are_cancelled() {
    let server = Server::start();
    let batch = submit(&server, "naps", &[echo(1), sleep("1h"), sleep("1h")]);
    let Some(page) = Page::open(&server, &format!("/batches/{batch}")) else { return };
    page.press("Cancel remaining jobs");
    page.press("Cancel all remaining jobs?");
    page.until("all jobs are finished", || progress(&page).starts_with("3 of 3").then_some(()));
    let counts = server.get(&format!("/v1/batches/{batch}")).expect(200)["counts"].clone();
    assert_eq!((&counts["completed"], &counts["cancelled"]), (&json!(1), &json!(2)));
    page.assert_clean();
}

#[test]
fn batches_are_listed_in_pages_and_new_ones_appear_without_a_reload() {
    let server = Server::start();
    for number in 1..=60 {
        submit(&server, &format!("number {number}"), &[echo(number)]);
    }
    let first = || "document.querySelector('.batches tbody tr').id";
    let Some(page) = Page::open(&server, "/batches") else { return };
    page.wait_for("the newest batch is first", &format!("{} === 'batch-60'", first()));
    let new = submit(&server, "one more", &[echo(1)]);
    page.wait_for("the new batch is listed", &format!("{} === 'batch-{new}'", first()));
    page.follow("Older");
    page.wait_for("the oldest batch is listed", "document.getElementById('batch-1')");
    page.follow("Newest");
    page.wait_for("the newest batch is first", &format!("{} === 'batch-{new}'", first()));
    page.follow(&new.to_string());
    page.wait_for_path(&format!("/batches/{new}"));
    page.assert_clean();
}
