//! The list of jobs: filters, pages, actions on several jobs, and updates.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, echo, sleep, with};

/// Returns the ids in the list, from top to bottom.
pub(crate) fn listed(page: &Page) -> Vec<i64> {
    let script = "return Array.from(document.querySelectorAll('#list tr[id^=job-]'),
        (row) => Number(row.id.slice(4)))";
    let ids = page.run(script, &json!([]));
    ids.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

/// Waits until the list shows exactly these jobs.
fn wait_for_list(page: &Page, ids: &[i64]) {
    page.until(&format!("the list shows {ids:?}"), || (listed(page) == ids).then_some(()));
}

/// Returns the state that a row shows.
fn state(page: &Page, id: i64) -> Option<String> {
    page.text(&format!("#job-{id} .state"))
}

fn wait_for_state(page: &Page, id: i64, expected: &str) {
    page.until(&format!("row {id} is {expected}"), || {
        (state(page, id).as_deref() == Some(expected)).then_some(())
    });
}

/// Toggles the check boxes of jobs.
fn toggle(page: &Page, ids: &[i64]) {
    for id in ids {
        page.click(&format!("input[name=id][value='{id}']"));
    }
}

/// Returns a job that is scheduled for an hour from now.
fn scheduled(fields: &Value) -> Value {
    with(with(echo(1), &json!({"delay": "1h"})), fields)
}

#[test]
fn jobs_are_found_by_state_queue_kind_tag_batch_and_id() {
    let server = Server::start();
    let mail = server.submit(&scheduled(&json!({"queue": "mail", "tags": ["spring & sun"]})));
    let echoed = server.submit(&echo("x"));
    server.wait_until_final(echoed);
    let slept = server.submit(&with(sleep("1h"), &json!({"tags": ["nap"]})));
    let batch = json!({"jobs": [scheduled(&json!({"queue": "mail"}))]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].to_string();
    let batched = slept + 1;
    server.wait_for_state(slept, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    wait_for_list(&page, &[batched, slept, echoed, mail]);
    page.fill("input[name=queue]", "mail");
    page.press("Filter");
    wait_for_list(&page, &[batched, mail]);
    page.fill("input[name=tag]", "spring & sun");
    page.press("Filter");
    wait_for_list(&page, &[mail]);
    page.follow("Clear");
    page.wait_for_path("/jobs");
    page.fill("input[name=kind]", "sleep");
    page.press("Filter");
    wait_for_list(&page, &[slept]);
    page.follow("Clear");
    page.wait_for_path("/jobs");
    page.fill("input[name=batch]", &batch);
    page.press("Filter");
    wait_for_list(&page, &[batched]);
    page.follow("Clear");
    page.wait_for_path("/jobs");
    page.follow("completed 1");
    wait_for_list(&page, &[echoed]);
    page.follow("All 4");
    wait_for_list(&page, &[batched, slept, echoed, mail]);
    page.follow("nap");
    wait_for_list(&page, &[slept]);
    page.fill("input[name=id]", &mail.to_string());
    page.press("Filter");
    page.wait_for_path(&format!("/jobs/{mail}"));
    page.assert_clean();
}

#[test]
fn a_long_list_can_be_paged_forward_and_back() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..120).map(|_| scheduled(&json!({}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let descending = |from: i64, to: i64| (to..=from).rev().collect::<Vec<i64>>();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    wait_for_list(&page, &descending(120, 71));
    page.follow("Older");
    wait_for_list(&page, &descending(70, 21));
    page.follow("Older");
    wait_for_list(&page, &descending(20, 1));
    assert_eq!(page.count("a[rel=next]"), 0);
    page.follow("Newer");
    wait_for_list(&page, &descending(70, 21));
    page.follow("Newest");
    wait_for_list(&page, &descending(120, 71));
    page.assert_clean();
}

#[test]
fn selected_jobs_are_cancelled_retried_and_deleted_together() {
    let server = Server::start();
    let [first, second, third] = [(); 3].map(|()| server.submit(&scheduled(&json!({}))));
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    toggle(&page, &[first, second, running]);
    page.wait_for_text("3 selected");
    page.press("Cancel");
    page.press("Cancel selected jobs?");
    page.wait_for_text("3 jobs were");
    server.wait_until_final(running);
    for id in [first, second, running] {
        wait_for_state(&page, id, "cancelled");
    }
    assert_eq!(state(&page, third).as_deref(), Some("scheduled"));
    toggle(&page, &[first, third]);
    page.press("Retry");
    page.wait_for_text("1 job was skipped");
    wait_for_state(&page, first, "completed");
    // Select all jobs; one of them is not finished.
    page.click("[data-select-all] input");
    page.wait_for_text("4 selected");
    page.press("Delete");
    page.press("Delete selected jobs?");
    page.wait_for_text("3 jobs were deleted");
    // The summary is not shown again after a reload.
    page.wait_for("the address is cleaned", "!location.search.includes('did=')");
    page.goto(&page.path());
    assert!(!page.all_text().contains("were deleted"), "{}", page.all_text());
    wait_for_list(&page, &[third]);
    page.assert_clean();
}

#[test]
fn the_list_updates_without_a_reload() {
    let server = Server::start();
    let first = server.submit(&scheduled(&json!({})));
    let Some(page) = Page::open(&server, "/jobs") else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    let second = server.submit(&sleep("1h"));
    wait_for_list(&page, &[second, first]);
    wait_for_state(&page, second, "running");
    server.post_empty(&format!("/v1/jobs/{second}/cancel")).expect(200);
    wait_for_state(&page, second, "cancelled");
    server.delete(&format!("/v1/jobs/{second}"));
    wait_for_list(&page, &[first]);
    assert_eq!(page.value("window.marker"), "the same page");
    page.assert_clean();
}

#[test]
fn rows_keep_their_positions_while_the_user_selects_jobs() {
    let server = Server::start();
    let first = server.submit(&scheduled(&json!({})));
    let Some(page) = Page::open(&server, "/jobs") else { return };
    toggle(&page, &[first]);
    let second = server.submit(&echo(1));
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    wait_for_state(&page, first, "cancelled");
    assert_eq!(listed(&page), [first]);
    page.wait_for_text("1 selected");
    // Once nothing is selected and the pointer is elsewhere, new rows appear.
    toggle(&page, &[first]);
    page.click("h1");
    wait_for_list(&page, &[second, first]);
    page.assert_clean();
}

#[test]
fn an_invalid_filter_is_reported() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs?state=lost&batch=x") else { return };
    page.wait_for_text("state must be scheduled");
    page.wait_for_text("batch must be a number");
    assert_eq!(page.count("[role=alert]"), 2);
    page.follow("Clear");
    page.wait_for_path("/jobs");
    page.assert_clean_except(&["status of 400"]);
}
