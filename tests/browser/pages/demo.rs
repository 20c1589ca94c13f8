//! The demo page: each panel is run until its jobs are finished.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::Connection;
use crate::kit::demo::Demo;

/// Returns the status line of a panel, which is named by its heading.
fn status(page: &Page, panel: &str) -> String {
    page.text(&format!("section[aria-labelledby={panel}-title] .panel-status")).unwrap_or_default()
}

/// Waits until the status line of a panel contains all these words.
fn wait_for(page: &Page, panel: &str, words: &[&str]) -> String {
    page.until(&format!("panel {panel} shows {words:?}"), || {
        let status = status(page, panel);
        words.iter().all(|word| status.contains(word)).then_some(status)
    })
}

/// Returns the number of elements in a panel that match a selector.
fn count(page: &Page, panel: &str, selector: &str) -> u64 {
    page.count(&format!("section[aria-labelledby={panel}-title] .panel-output {selector}"))
}

#[test]
fn start_task_shows_the_progress_of_two_jobs() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    page.press("Start task");
    page.wait_for(
        "two progress bars are shown",
        "document.querySelectorAll('.panel-output progress').length === 2",
    );
    let under_way = "Array.from(document.querySelectorAll('.panel-output progress'))
        .every((bar) => bar.value > 0 && bar.value < 100)";
    page.wait_for("both jobs are under way", under_way);
    page.wait_for_text("of 5s");
    wait_for(&page, "start", &["Both jobs finished"]);
    let full = "Array.from(document.querySelectorAll('.panel-output progress')).every((bar) => bar.value === 100)";
    assert_eq!(page.value(full), true);
    page.assert_clean();
}

#[test]
fn each_joke_is_shown_and_differs_from_the_previous_one() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    let joke = || {
        page.press("Get a joke");
        wait_for(&page, "joke", &["Answered after"]);
        page.text(".joke").unwrap()
    };
    let first = joke();
    assert!(first.len() > 20, "{first}");
    page.run("document.querySelector('#joke-title ~ .panel-status').textContent = ''", &json!([]));
    assert_ne!(joke(), first);
    page.assert_clean();
}

#[test]
fn a_semaphore_never_runs_more_than_five_jobs_at_once() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    page.press("Run 20 jobs");
    page.wait_for(
        "five slots are taken",
        "document.querySelectorAll('.slots .taken').length === 5",
    );
    assert_eq!(count(&page, "semaphore", ".slots li"), 5);
    wait_for(&page, "semaphore", &["20 jobs took", "At most 5 ran at the same time"]);
    assert_eq!(count(&page, "semaphore", ".slots .taken"), 0);
    page.assert_clean();
}

#[test]
fn a_paused_queue_is_reported_and_a_deleted_job_is_not_awaited() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    let queue = |body: Value| {
        let mut connection = Connection::open(demo.addr).unwrap();
        let headers = [("content-type", "application/json")];
        let body = body.to_string();
        let response =
            connection.request("PATCH", "/v1/queues/demo-five", &headers, body.as_bytes());
        assert_eq!(response.unwrap().status, 200);
    };
    queue(json!({"paused": true}));
    page.press("Run 20 jobs");
    wait_for(&page, "semaphore", &["paused"]);
    queue(json!({"paused": false}));
    wait_for(&page, "semaphore", &["resumed"]);
    // A finished job is deleted, so that the page finds only nineteen of the twenty jobs.
    page.wait_for(
        "one job is finished",
        "document.querySelector('.panel-output progress').value > 0",
    );
    let delete =
        "const jobs = await (await fetch('/v1/jobs?queue=demo-five&state=completed')).json();
        return (await fetch(`/v1/jobs/${jobs.jobs[0].id}`, {method: 'DELETE'})).status";
    assert!(page.run(delete, &json!([])).as_u64().unwrap() < 300);
    wait_for(&page, "semaphore", &["jobs took", "At most 5 ran at the same time"]);
    page.assert_clean();
}

#[test]
fn questions_in_parallel_are_faster_than_one_by_one() {
    let demo = Demo::start("300ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    page.press("Ask ten questions both ways");
    let status = wait_for(&page, "race", &["One by one", "in parallel", "times as fast"]);
    let ratio: f64 =
        status.rsplit(": ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
    // About ten on an idle machine; the bound allows for a busy one.
    assert!(ratio > 1.5, "{status}");
    page.assert_clean();
}

#[test]
fn the_same_work_runs_in_each_lane_and_its_times_are_shown() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    page.press("Run in all three lanes");
    let status = page.until_within(6, "all lanes are finished", || {
        Some(status(&page, "lanes")).filter(|status| status.contains("Four jobs took"))
    });
    for lane in ["async", "thread", "process"] {
        assert!(status.contains(lane), "{status}");
    }
    assert_eq!(count(&page, "lanes", "svg rect.completed"), 12);
    page.assert_clean();
}

#[test]
fn each_request_can_be_copied_and_does_the_same_as_its_button() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    page.allow_clipboard();
    let command = page.text("#call-start").unwrap();
    page.click("[data-copy='call-start']");
    page.wait_for_text("Copied");
    assert_eq!(page.value("navigator.clipboard.readText()"), command.as_str());
    let shell = std::process::Command::new("/bin/sh").args(["-c", &command]).output().unwrap();
    let response: serde_json::Value = serde_json::from_slice(&shell.stdout).unwrap();
    assert_eq!(response["total"], 2, "{command}: {response}");
    page.assert_clean();
}

#[test]
fn without_scripts_the_buttons_open_the_page_of_their_jobs() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::blank(&demo.url()) else { return };
    page.allow_scripts(false);
    page.goto("/demo");
    page.wait_for_text("Without scripts");
    page.press("Start task");
    page.until("the page of the batch is open", || {
        page.path().starts_with("/batches/").then_some(())
    });
    page.goto("/demo");
    page.press("Get a joke");
    page.until("the page of the job is open", || page.path().starts_with("/jobs/").then_some(()));
    page.until("the joke is shown", || {
        page.text("#result").filter(|text| text.contains("content"))
    });
    page.assert_clean();
}
