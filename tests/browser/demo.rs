//! The demo page, each panel to its end.

use serde_json::{Value, json};

use crate::kit::Connection;
use crate::kit::demo::Demo;
use crate::page::Page;

/// What a panel, named by its heading, says of how it goes.
fn told(page: &Page, panel: &str) -> String {
    page.text(&format!("section[aria-labelledby={panel}-title] .outcome")).unwrap_or_default()
}

/// Waits until a panel says something with these words.
fn wait_for(page: &Page, panel: &str, words: &[&str]) -> String {
    page.until(&format!("{panel} says {words:?}"), || {
        let told = told(page, panel);
        words.iter().all(|word| told.contains(word)).then_some(told)
    })
}

/// How many elements of a kind a panel shows.
fn count(page: &Page, panel: &str, selector: &str) -> u64 {
    page.count(&format!("section[aria-labelledby={panel}-title] .out {selector}"))
}

#[test]
fn start_task_shows_two_jobs_advance_and_end() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    page.press("Start task");
    page.wait_for("two bars are there", "document.querySelectorAll('.out progress').length === 2");
    let advance = "Array.from(document.querySelectorAll('.out progress'))
        .every((bar) => bar.value > 0 && bar.value < 100)";
    page.wait_for("both are under way", advance);
    page.wait_for_text("of 5s");
    wait_for(&page, "start", &["Both have ended"]);
    let full =
        "Array.from(document.querySelectorAll('.out progress')).every((bar) => bar.value === 100)";
    assert_eq!(page.value(full), true);
    page.assert_clean();
}

#[test]
fn a_joke_comes_back_to_the_page_and_the_next_is_another() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    let joke = || {
        page.press("Get a joke");
        wait_for(&page, "joke", &["The answer came"]);
        page.text(".joke").unwrap()
    };
    let first = joke();
    assert!(first.len() > 20, "{first}");
    page.run("document.querySelector('#joke-title ~ .outcome').textContent = ''", &json!([]));
    assert_ne!(joke(), first);
    page.assert_clean();
}

#[test]
fn a_semaphore_never_lets_more_than_five_run() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    page.press("Run 20 jobs");
    page.wait_for(
        "five slots are taken",
        "document.querySelectorAll('.slots .taken').length === 5",
    );
    assert_eq!(count(&page, "semaphore", ".slots li"), 5);
    wait_for(&page, "semaphore", &["20 jobs took", "at most 5 ran at once"]);
    assert_eq!(count(&page, "semaphore", ".slots .taken"), 0);
    page.assert_clean();
}

#[test]
fn a_paused_queue_is_told_of_and_a_deleted_job_is_not_waited_for() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    let queue = |body: Value| {
        let mut connection = Connection::open(demo.addr).unwrap();
        let headers = [("content-type", "application/json")];
        let body = body.to_string();
        let answer = connection.request("PATCH", "/v1/queues/demo-five", &headers, body.as_bytes());
        assert_eq!(answer.unwrap().status, 200);
    };
    queue(json!({"paused": true}));
    page.press("Run 20 jobs");
    wait_for(&page, "semaphore", &["paused"]);
    queue(json!({"paused": false}));
    wait_for(&page, "semaphore", &["goes on"]);
    // It has ended before the page looks; then one of twenty is not there.
    page.wait_for("one has ended", "document.querySelector('.out progress').value > 0");
    let delete =
        "const jobs = await (await fetch('/v1/jobs?queue=demo-five&state=completed')).json();
        return (await fetch(`/v1/jobs/${jobs.jobs[0].id}`, {method: 'DELETE'})).status";
    assert!(page.run(delete, &json!([])).as_u64().unwrap() < 300);
    wait_for(&page, "semaphore", &["jobs took", "at most 5 ran at once"]);
    page.assert_clean();
}

#[test]
fn questions_asked_together_win_against_one_by_one() {
    let demo = Demo::start("300ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    page.press("Ask ten questions both ways");
    let told = wait_for(&page, "race", &["One by one", "together", "times as fast"]);
    let ratio: f64 = told.rsplit(": ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
    // Ten times, but for a machine that is busy with other things.
    assert!(ratio > 1.5, "{told}");
    page.assert_clean();
}

#[test]
fn the_same_work_is_done_in_each_lane_and_its_times_are_told() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    page.press("Run in all three lanes");
    let told = page.until_within(6, "all lanes are done", || {
        Some(told(&page, "lanes")).filter(|told| told.contains("Four jobs took"))
    });
    for lane in ["async", "thread", "process"] {
        assert!(told.contains(lane), "{told}");
    }
    assert_eq!(count(&page, "lanes", "svg rect.completed"), 12);
    page.assert_clean();
}

#[test]
fn each_request_is_there_to_copy_and_does_what_the_button_does() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    page.allow_clipboard();
    let line = page.text("#call-start").unwrap();
    page.click("[data-copy='call-start']");
    page.wait_for_text("Copied");
    assert_eq!(page.value("navigator.clipboard.readText()"), line.as_str());
    let shell = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&shell.stdout).unwrap();
    assert_eq!(answer["total"], 2, "{line}: {answer}");
    page.assert_clean();
}

#[test]
fn without_script_the_buttons_lead_to_the_jobs() {
    let demo = Demo::start("1ms");
    let Some(page) = Page::blank(&demo.url()) else { return };
    page.allow_scripts(false);
    page.goto("/demo");
    page.wait_for_text("Without script");
    page.press("Start task");
    page.until("the batch is there", || page.path().starts_with("/batches/").then_some(()));
    page.goto("/demo");
    page.press("Get a joke");
    page.until("the job is there", || page.path().starts_with("/jobs/").then_some(()));
    page.until("the joke is there", || {
        page.text("#result").filter(|text| text.contains("content"))
    });
    page.assert_clean();
}
