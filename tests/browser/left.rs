//! A page that is left alone for a while: by its user, or by its server.

use serde_json::json;

use crate::kit::{Server, echo};
use crate::page::Page;

/// Makes the page believe that another tab is looked at, or this one again.
fn hide(page: &Page, hidden: bool) {
    let script =
        "Object.defineProperty(document, 'hidden', {configurable: true, value: arguments[0]});
        document.dispatchEvent(new Event('visibilitychange'))";
    page.run(script, &json!([hidden]));
}

#[test]
fn a_page_goes_on_after_another_tab_was_looked_at_while_much_happened() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    for _ in 0..4 {
        // Some of it comes while the page waits for its turn to ask.
        for number in 0..12 {
            server.submit(&echo(number));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        hide(&page, true);
        server.submit(&echo(0));
        hide(&page, false);
    }
    let last = server.submit(&echo(1));
    page.wait_for("the last is there", &format!("document.getElementById('job-{last}')"));
    page.assert_clean();
}

#[test]
fn a_server_that_answers_no_more_is_told_of() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/jobs") else { return };
    let silent = "window.fetch = (_, {signal}) => new Promise((_, refuse) =>
        signal.addEventListener('abort', () => refuse(signal.reason)))";
    page.run(silent, &json!([]));
    page.wait_for_text("Not reachable");
    page.assert_clean();
}
