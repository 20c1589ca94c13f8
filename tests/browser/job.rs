//! The page of a job: what it shows, what it does, how it goes on by itself.

use serde_json::{Value, json};

use crate::kit::{Server, echo, sleep, with};
use crate::page::Page;

/// The state that the page shows.
fn state(page: &Page) -> String {
    page.text("h1 .state").unwrap_or_default()
}

fn wait_for_state(page: &Page, wanted: &str) {
    page.until(&format!("the job is {wanted}"), || (state(page) == wanted).then_some(()));
}

/// A page of a job that workers of somebody's own run, and a lease of it.
fn remote(server: &Server, fields: &Value) -> (i64, Value) {
    let job = json!({"kind": "resize", "lane": "remote", "payload": {"width": 7}});
    let id = server.submit(&with(job, fields));
    (id, lease(server))
}

fn lease(server: &Server) -> Value {
    let call = json!({"worker": "ann", "wait": "10s"});
    server.post("/v1/leases", &call).expect(200)["jobs"][0].clone()
}

fn tell(server: &Server, leased: &Value, verb: &str, told: &Value) {
    let told = with(told.clone(), &json!({"lease_token": leased["lease_token"]}));
    server.post(&format!("/v1/leases/{}/{verb}", leased["id"]), &told).expect(200);
}

#[test]
fn a_job_is_followed_to_its_end_without_a_reload() {
    let server = Server::start();
    let (id, first) = remote(&server, &json!({"max_attempts": 2}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    assert_eq!(state(&page), "running");
    let progress = json!({"percent": 42, "message": "three of seven"});
    let told = json!({"progress": progress, "log": "opened the picture"});
    tell(&server, &first, "renew", &told);
    page.wait_for_text("three of seven");
    page.wait_for("the bar stands at 42", "document.querySelector('[aria-valuenow=\"42\"]')");
    page.wait_for_text("opened the picture");
    let error = json!({"error": {"code": "no_memory", "message": "it is full"}, "retry_in": "0s"});
    tell(&server, &first, "fail", &error);
    page.wait_for_text("it is full");
    let again = lease(&server);
    wait_for_state(&page, "running");
    tell(&server, &again, "complete", &json!({"result": {"bytes": 48_213}}));
    wait_for_state(&page, "completed");
    page.until("the result is there", || {
        page.text("#result").filter(|text| text.contains("48213"))
    });
    // Submitted, failed, run again, completed.
    assert!(page.text("#timeline").unwrap().contains("no_memory"));
    assert_eq!(page.value("window.marker"), "the same page");
    page.assert_clean();
}

#[test]
fn a_job_is_cancelled_run_again_and_deleted() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.reaches(id, "running");
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.press("Cancel");
    wait_for_state(&page, "cancelled");
    page.press("Retry");
    wait_for_state(&page, "running");
    page.press("Cancel");
    wait_for_state(&page, "cancelled");
    page.press("Delete");
    page.press("Delete it?");
    page.wait_for_text("1 job was deleted");
    assert_eq!(server.get(&format!("/v1/jobs/{id}")).status, 404);
    page.goto(&format!("/jobs/{id}"));
    page.wait_for_text("Not found");
    page.assert_clean_but_for(&["status of 404"]);
}

#[test]
fn a_job_that_has_completed_is_asked_about_before_it_runs_again() {
    let server = Server::start();
    let (id, leased) = remote(&server, &json!({}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.wait_for("it can be cancelled", "window.old = document.querySelector('#cancel button')");
    page.run("document.querySelector('#again').focus()", &json!([]));
    tell(&server, &leased, "complete", &json!({"result": 1}));
    wait_for_state(&page, "completed");
    // The button is gone, not another one in its place; what was beside it has stayed.
    assert_eq!(page.value("window.old.isConnected"), false);
    assert_eq!(page.value("document.activeElement.id"), "again");
    page.press("Retry");
    page.wait_for_text("Run it again?");
    assert_eq!(server.job(id)["state"], "completed");
    page.press("Run it again?");
    page.until("it is queued", || (server.job(id)["state"] == "queued").then_some(()));
    page.assert_clean();
}

#[test]
fn a_payload_is_unfolded_and_stays_so_while_the_page_lives_on() {
    let server = Server::start();
    let payload = json!({"order": {"lines": [{"sku": "A-1", "count": 3}], "paid": true}});
    let (id, leased) = remote(&server, &json!({"payload": payload}));
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.wait_for("it is folded", "document.querySelector('.json details')");
    let unfold = "for (const part of document.querySelectorAll('.json details')) {
            if (!part.open) part.querySelector('summary').click();
        }";
    page.run(unfold, &json!([]));
    page.wait_for_text("A-1");
    tell(&server, &leased, "renew", &json!({"progress": {"percent": 7, "message": "begun"}}));
    page.wait_for_text("begun");
    assert!(page.all_text().contains("A-1"));
    // The result as well, of which there was none.
    tell(&server, &leased, "complete", &json!({"result": {"a": {"b": {"c": "deep down"}}}}));
    wait_for_state(&page, "completed");
    page.until("the result is unfolded", || {
        page.run(unfold, &json!([]));
        page.all_text().contains("deep down").then_some(())
    });
    page.assert_clean();
}

#[test]
fn a_job_is_submitted_again_with_changes() {
    let server = Server::start();
    let fields = json!({"queue": "again", "priority": 7, "tags": ["one", "two"]});
    let id = server.submit(&with(echo(json!({"width": 7})), &fields));
    server.finished(id);
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.follow("Submit again with changes");
    page.wait_for("the form is there", "document.querySelector('textarea[name=payload]')");
    page.fill("textarea[name=payload]", "{\"width\": 8}");
    page.press("Submit");
    page.wait_for_path(&format!("/jobs/{}", id + 1));
    let job = server.finished(id + 1);
    assert_eq!(job["payload"], json!({"width": 8}));
    assert_eq!((&job["queue"], &job["priority"]), (&json!("again"), &json!(7)));
    assert_eq!(job["tags"], json!(["one", "two"]));
    page.assert_clean();
}
