//! The list of jobs: filters, pages, what is done to many at once, news as they come.

use serde_json::{Value, json};

use crate::kit::{Server, echo, sleep, with};
use crate::page::Page;

/// The ids that the list shows, from top to bottom.
pub(crate) fn listed(page: &Page) -> Vec<i64> {
    let script = "return Array.from(document.querySelectorAll('#list tr[id^=job-]'),
        (row) => Number(row.id.slice(4)))";
    let ids = page.run(script, &json!([]));
    ids.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

/// Waits until the list shows just these jobs.
fn wait_for_list(page: &Page, ids: &[i64]) {
    page.until(&format!("the list shows {ids:?}"), || (listed(page) == ids).then_some(()));
}

/// The state that a row shows.
fn state(page: &Page, id: i64) -> Option<String> {
    page.text(&format!("#job-{id} .state"))
}

fn wait_for_state(page: &Page, id: i64, wanted: &str) {
    page.until(&format!("row {id} is {wanted}"), || {
        (state(page, id).as_deref() == Some(wanted)).then_some(())
    });
}

/// Ticks the boxes of jobs.
fn tick(page: &Page, ids: &[i64]) {
    for id in ids {
        page.click(&format!("input[name=id][value='{id}']"));
    }
}

/// A job that waits for an hour.
fn later(fields: &Value) -> Value {
    with(with(echo(1), &json!({"delay": "1h"})), fields)
}

#[test]
fn jobs_are_found_by_state_queue_kind_tag_batch_and_id() {
    let server = Server::start();
    let mail = server.submit(&later(&json!({"queue": "mail", "tags": ["spring & sun"]})));
    let echoed = server.submit(&echo("x"));
    server.finished(echoed);
    let slept = server.submit(&with(sleep("1h"), &json!({"tags": ["nap"]})));
    let batch = json!({"jobs": [later(&json!({"queue": "mail"}))]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].to_string();
    let batched = slept + 1;
    server.reaches(slept, "running");
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
fn a_list_that_is_long_is_gone_through_page_by_page_and_back() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..120).map(|_| later(&json!({}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let down = |from: i64, to: i64| (to..=from).rev().collect::<Vec<i64>>();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    wait_for_list(&page, &down(120, 71));
    page.follow("Older");
    wait_for_list(&page, &down(70, 21));
    page.follow("Older");
    wait_for_list(&page, &down(20, 1));
    assert_eq!(page.count("a[rel=next]"), 0);
    page.follow("Newer");
    wait_for_list(&page, &down(70, 21));
    page.follow("Newest");
    wait_for_list(&page, &down(120, 71));
    page.assert_clean();
}

#[test]
fn chosen_jobs_are_cancelled_run_again_and_deleted_together() {
    let server = Server::start();
    let [first, second, third] = [(); 3].map(|()| server.submit(&later(&json!({}))));
    let running = server.submit(&sleep("1h"));
    server.reaches(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    tick(&page, &[first, second, running]);
    page.wait_for_text("3 chosen");
    page.press("Cancel");
    page.press("Cancel them?");
    page.wait_for_text("3 jobs were");
    server.finished(running);
    for id in [first, second, running] {
        wait_for_state(&page, id, "cancelled");
    }
    assert_eq!(state(&page, third).as_deref(), Some("scheduled"));
    tick(&page, &[first, third]);
    page.press("Retry");
    page.wait_for_text("1 could not be");
    wait_for_state(&page, first, "completed");
    // All at once, of which one has not ended.
    page.click("[data-all] input");
    page.wait_for_text("4 chosen");
    page.press("Delete");
    page.press("Delete them?");
    page.wait_for_text("3 jobs were deleted");
    // Once: not again when the page is loaded anew.
    page.wait_for("the address forgets it", "!location.search.includes('did=')");
    page.goto(&page.path());
    assert!(!page.all_text().contains("were deleted"), "{}", page.all_text());
    wait_for_list(&page, &[third]);
    page.assert_clean();
}

#[test]
fn the_list_follows_what_happens() {
    let server = Server::start();
    let first = server.submit(&later(&json!({})));
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
fn a_list_from_which_is_chosen_tells_news_of_its_rows_and_stays_where_it_is() {
    let server = Server::start();
    let first = server.submit(&later(&json!({})));
    let Some(page) = Page::open(&server, "/jobs") else { return };
    tick(&page, &[first]);
    let second = server.submit(&echo(1));
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    wait_for_state(&page, first, "cancelled");
    assert_eq!(listed(&page), [first]);
    page.wait_for_text("1 chosen");
    // No longer chosen, and the mouse elsewhere.
    tick(&page, &[first]);
    page.click("h1");
    wait_for_list(&page, &[second, first]);
    page.assert_clean();
}

#[test]
fn a_filter_that_makes_no_sense_is_told() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs?state=lost&batch=x") else { return };
    page.wait_for_text("state is");
    page.wait_for_text("batch is a number");
    assert_eq!(page.count("[role=alert]"), 2);
    page.follow("Clear");
    page.wait_for_path("/jobs");
    page.assert_clean_but_for(&["status of 400"]);
}
