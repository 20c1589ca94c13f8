//! The page of the providers, and what the page of a job says while it waits for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::chromium::page::Page;
use crate::kit::Setup;
use crate::kit::http::Target;

#[test]
fn open_pages_show_the_pause_of_a_provider_and_its_end() {
    let is_well = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&is_well);
    let target = Target::start(move |caller, _| {
        if state.load(Ordering::SeqCst) {
            let answer = json!({"choices": [{"message": {"content": "well"}}]}).to_string();
            caller.answer("200 OK", "content-type: application/json\r\n", &answer);
        } else {
            caller.answer("429 Too Many Requests", "retry-after: 5\r\n", "slow down");
        }
    });
    // As soon as one call has succeeded, as many run as may.
    let config = format!("[providers.busy]\nbase_url = '{}'\nmax_running = 1\n", target.url("/v1"));
    let server = Setup::new().config(config).start();
    let Some(page) = Page::open(&server, "/providers") else { return };
    page.run("window.marker = 'the same page'", &json!([]));
    let row = || page.text("#provider-busy").unwrap_or_default();
    assert!(row().contains("ok") && row().contains("1 at once"), "{}", row());
    let messages = json!([{"role": "user", "content": "?"}]);
    let payload = json!({"model": "m", "messages": messages});
    let job = server.submit(&json!({"kind": "chat", "payload": payload}));
    page.until("the pause is shown", || {
        (row().contains("paused") && row().contains("429")).then_some(())
    });
    is_well.store(true, Ordering::SeqCst);
    page.until("the end of the pause is shown", || row().contains("ok").then_some(()));
    assert!(!row().contains("429"), "{}", row());
    assert_eq!(page.value("window.marker"), "the same page");
    assert_eq!(server.wait_until_final(job)["attempt"], 1);
    // The page of a job that waits follows it until it runs.
    is_well.store(false, Ordering::SeqCst);
    let waiting = server.submit(&json!({"kind": "chat", "payload": payload}));
    page.goto(&format!("/jobs/{waiting}"));
    page.wait_for_text("Waiting: provider busy asked for a pause");
    is_well.store(true, Ordering::SeqCst);
    page.wait_for_text("completed");
    assert!(!page.all_text().contains("Waiting:"), "{}", page.all_text());
    page.assert_clean();
}
