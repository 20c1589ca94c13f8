//! The page of a job: its contents, its actions and its updates.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, echo, sleep, with};

/// Returns the state that the page shows.
fn state(page: &Page) -> String {
    page.text("h1 .state").unwrap_or_default()
}

fn wait_for_state(page: &Page, expected: &str) {
    page.until(&format!("the job is {expected}"), || (state(page) == expected).then_some(()));
}

/// Submits a job for remote workers and leases it. Returns its id and the lease.
fn submit_and_lease(server: &Server, fields: &Value) -> (i64, Value) {
    let job = json!({"kind": "resize", "lane": "remote", "payload": {"width": 7}});
    let id = server.submit(&with(job, fields));
    (id, lease(server))
}

fn lease(server: &Server) -> Value {
    let call = json!({"worker": "ann", "wait": "10s"});
    server.post("/v1/leases", &call).expect(200)["jobs"][0].clone()
}

fn report(server: &Server, leased: &Value, action: &str, body: &Value) {
    let body = with(body.clone(), &json!({"lease_token": leased["lease_token"]}));
    server.post(&format!("/v1/leases/{}/{action}", leased["id"]), &body).expect(200);
}

#[test]
fn the_page_of_a_job_updates_until_the_job_is_finished() {
    let server = Server::start();
    let (id, first) = submit_and_lease(&server, &json!({"max_attempts": 2}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    assert_eq!(state(&page), "running");
    let progress = json!({"percent": 42, "message": "three of seven"});
    let renewal = json!({"progress": progress, "log": "opened the picture"});
    report(&server, &first, "renew", &renewal);
    page.wait_for_text("three of seven");
    page.wait_for("the bar shows 42 %", "document.querySelector('[aria-valuenow=\"42\"]')");
    page.wait_for_text("opened the picture");
    let error = json!({"error": {"code": "no_memory", "message": "it is full"}, "retry_in": "0s"});
    report(&server, &first, "fail", &error);
    page.wait_for_text("it is full");
    let again = lease(&server);
    wait_for_state(&page, "running");
    report(&server, &again, "complete", &json!({"result": {"bytes": 48_213}}));
    wait_for_state(&page, "completed");
    page.until("the result is shown", || {
        page.text("#result").filter(|text| text.contains("48213"))
    });
    // The timeline keeps the failure of the first attempt.
    assert!(page.text("#timeline").unwrap().contains("no_memory"));
    assert_eq!(page.value("window.marker"), "the same page");
    page.assert_clean();
}

#[test]
fn a_job_can_be_cancelled_retried_and_deleted() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.press("Cancel");
    wait_for_state(&page, "cancelled");
    page.press("Retry");
    wait_for_state(&page, "running");
    page.press("Cancel");
    wait_for_state(&page, "cancelled");
    page.press("Delete");
    page.press("Delete this job?");
    page.wait_for_text("1 job was deleted");
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).status, 404);
    page.goto(&format!("/jobs/{id}"));
    page.wait_for_text("Not found");
    page.assert_clean_except(&["status of 404"]);
}

#[test]
fn a_scheduled_job_is_started_by_a_button() {
    let server = Server::start();
    let id = server.submit(&with(sleep("1h"), &json!({"delay": "1h"})));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.press("Run now");
    wait_for_state(&page, "running");
    page.assert_clean();
}

#[test]
fn retrying_a_completed_job_asks_for_confirmation() {
    let server = Server::start();
    let (id, leased) = submit_and_lease(&server, &json!({}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.wait_for(
        "the job can be cancelled",
        "window.old = document.querySelector('#cancel button')",
    );
    page.run("document.querySelector('#again').focus()", &json!([]));
    report(&server, &leased, "complete", &json!({"result": 1}));
    wait_for_state(&page, "completed");
    // The button was removed, not turned into another one; the link next to it kept the focus.
    assert_eq!(page.value("window.old.isConnected"), false);
    assert_eq!(page.value("document.activeElement.id"), "again");
    page.press("Retry");
    page.wait_for_text("Run it again?");
    assert_eq!(server.job(id)["state"], "completed");
    page.press("Run it again?");
    page.until("the job is queued", || (server.job(id)["state"] == "queued").then_some(()));
    page.assert_clean();
}

#[test]
fn an_expanded_payload_stays_expanded_when_the_page_updates() {
    let server = Server::start();
    let payload = json!({"order": {"lines": [{"sku": "A-1", "count": 3}], "paid": true}});
    let (id, leased) = submit_and_lease(&server, &json!({"payload": payload}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.wait_for("the payload is collapsible", "document.querySelector('.json details')");
    let expand = "for (const part of document.querySelectorAll('.json details')) {
            if (!part.open) part.querySelector('summary').click();
        }";
    page.run(expand, &json!([]));
    page.wait_for_text("A-1");
    report(&server, &leased, "renew", &json!({"progress": {"percent": 7, "message": "begun"}}));
    page.wait_for_text("begun");
    assert!(page.all_text().contains("A-1"));
    // The result, which appears later, can be expanded too.
    report(&server, &leased, "complete", &json!({"result": {"a": {"b": {"c": "deep down"}}}}));
    wait_for_state(&page, "completed");
    page.until("the result is expanded", || {
        page.run(expand, &json!([]));
        page.all_text().contains("deep down").then_some(())
    });
    page.assert_clean();
}

#[test]
fn a_job_can_be_submitted_again_with_changes() {
    let server = Server::start();
    let fields = json!({"queue": "again", "priority": 7, "tags": ["one", "two"]});
    let id = server.submit(&with(echo(json!({"width": 7})), &fields));
    server.wait_until_final(id);
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.follow("Submit again with changes");
    page.wait_for("the form is shown", "document.querySelector('textarea[name=payload]')");
    page.fill("textarea[name=payload]", "{\"width\": 8}");
    page.press("Submit");
    page.wait_for_path(&format!("/jobs/{}", id + 1));
    let job = server.wait_until_final(id + 1);
    assert_eq!(job["payload"], json!({"width": 8}));
    assert_eq!((&job["queue"], &job["priority"]), (&json!("again"), &json!(7)));
    assert_eq!(job["tags"], json!(["one", "two"]));
    page.assert_clean();
}
