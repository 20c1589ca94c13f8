//! The list of batches and the page of one.

use serde_json::{Value, json};

use crate::kit::{Server, echo, sleep};
use crate::page::Page;

fn submit(server: &Server, name: &str, jobs: &[Value]) -> i64 {
    let batch = json!({"name": name, "jobs": jobs});
    server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
}

/// What the page says of how far the batch is.
fn told(page: &Page) -> String {
    page.text("#progress-title").unwrap_or_default()
}

#[test]
fn a_batch_is_followed_to_its_end_without_a_reload() {
    let server = Server::start();
    let fails =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    let held = json!({"kind": "show", "lane": "remote"});
    let batch = submit(&server, "Spring newsletter", &[echo(1), fails, held]);
    let Some(page) = Page::open(&server, &format!("/batches/{batch}")) else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    page.wait_for_text("Spring newsletter");
    page.until("two are done", || told(&page).starts_with("2 of 3").then_some(()));
    page.until("the failure is told", || {
        page.text("#failures").filter(|text| text.contains("http") && text.contains("failed"))
    });
    let leased = server.post("/v1/leases", &json!({})).expect(200)["jobs"][0].clone();
    let done = json!({"lease_token": leased["lease_token"], "result": 1});
    server.post(&format!("/v1/leases/{}/complete", leased["id"]), &done).expect(200);
    page.until("all are done", || told(&page).starts_with("3 of 3").then_some(()));
    page.wait_for("nothing is left to cancel", "!document.querySelector('#batch-head form')");
    assert_eq!(page.value("window.marker"), "the same page");
    page.follow("Its jobs");
    page.wait_for_path(&format!("/jobs?batch={batch}"));
    page.assert_clean();
}

#[test]
fn what_is_left_of_a_batch_is_cancelled() {
    let server = Server::start();
    let batch = submit(&server, "naps", &[echo(1), sleep("1h"), sleep("1h")]);
    let Some(page) = Page::open(&server, &format!("/batches/{batch}")) else { return };
    page.press("Cancel what is left");
    page.press("Cancel them all?");
    page.until("all have ended", || told(&page).starts_with("3 of 3").then_some(()));
    let counts = server.get(&format!("/v1/batches/{batch}")).expect(200)["counts"].clone();
    assert_eq!((&counts["completed"], &counts["cancelled"]), (&json!(1), &json!(2)));
    page.assert_clean();
}

#[test]
fn batches_are_listed_page_by_page_and_the_newest_come_by_themselves() {
    let server = Server::start();
    for number in 1..=60 {
        submit(&server, &format!("number {number}"), &[echo(number)]);
    }
    let first = || "document.querySelector('.batches tbody tr').id";
    let Some(page) = Page::open(&server, "/batches") else { return };
    page.wait_for("the newest is first", &format!("{} === 'batch-60'", first()));
    let new = submit(&server, "one more", &[echo(1)]);
    page.wait_for("it has come", &format!("{} === 'batch-{new}'", first()));
    page.follow("Older");
    page.wait_for("the oldest is there", "document.getElementById('batch-1')");
    page.follow("Newest");
    page.wait_for("the newest is first", &format!("{} === 'batch-{new}'", first()));
    page.follow(&new.to_string());
    page.wait_for_path(&format!("/batches/{new}"));
    page.assert_clean();
}
