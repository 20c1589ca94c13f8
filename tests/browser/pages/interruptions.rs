//! Pages in a hidden tab, and pages whose server stops responding.

use serde_json::json;

use crate::chromium::page::Page;
use crate::kit::{Server, echo};

/// Makes the page believe that its tab was hidden or shown.
fn set_hidden(page: &Page, hidden: bool) {
    let script =
        "Object.defineProperty(document, 'hidden', {configurable: true, value: arguments[0]});
        document.dispatchEvent(new Event('visibilitychange'))";
    page.run(script, &json!([hidden]));
}

#[test]
fn a_page_continues_after_its_tab_was_hidden() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    for _ in 0..4 {
        // Some of these events arrive while the page waits for its next refresh.
        for number in 0..12 {
            server.submit(&echo(number));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        set_hidden(&page, true);
        server.submit(&echo(0));
        set_hidden(&page, false);
    }
    let last = server.submit(&echo(1));
    page.wait_for("the last job is listed", &format!("document.getElementById('job-{last}')"));
    page.assert_clean();
}

#[test]
fn a_server_that_stops_responding_is_reported() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    let never_responds = "window.fetch = (_, {signal}) => new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)))";
    page.run(never_responds, &json!([]));
    page.wait_for_text("Server unreachable");
    page.assert_clean();
}
