//! Tests of the test harness itself: its checks detect the faults that they look for.

use crate::chromium::axe::violations;
use crate::chromium::page::Page;
use crate::kit::http::Target;
use crate::pages::hostile::TEXTS;
use crate::terminal::Terminal;

/// Starts a server whose only page has this body.
fn site(body: &'static str) -> Target {
    Target::start(move |caller, request| {
        let page = format!(
            "<!doctype html><html lang=en><title>A page</title><link rel=icon href=data:,>\
             <main><h1>A page</h1>{body}</main></html>"
        );
        match request.path.as_str() {
            "/" | "/?a=1" => caller.answer("200 OK", "content-type: text/html\r\n", &page),
            _ => caller.answer("404 Not Found", "", ""),
        }
    })
}

/// Returns whether a check fails, which it does by panicking.
fn fails(check: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
}

#[test]
fn the_driver_fills_clicks_and_disables_scripts() {
    let site = site(
        "<form><label for=a>Letter</label><input id=a name=a><button>Send <b>form</b></button></form>
         <noscript>no script here</noscript><script>document.title = 'run'</script>",
    );
    let Some(page) = Page::open_at(&site.url(""), "/") else { return };
    assert_eq!(page.value("document.title"), "run");
    page.fill("#a", "1");
    page.press("Send form");
    page.wait_for_path("/?a=1");
    page.allow_scripts(false);
    page.goto("/");
    page.wait_for_text("no script here");
    assert_eq!(page.value("document.title"), "A page");
    page.assert_clean();
}

#[test]
fn console_messages_foreign_requests_and_dialogs_are_detected() {
    let warning = site("<script>console.warn('a warning')</script>");
    let Some(page) = Page::open_at(&warning.url(""), "/") else { return };
    assert!(fails(|| page.assert_clean()));
    drop(page);

    let other = site("");
    let fetch = format!("fetch('{}', {{mode: 'no-cors'}}); return 1", other.url("/"));
    let Some(page) = Page::open_at(&other.url("").replace("127.0.0.1", "localhost"), "/") else {
        return;
    };
    page.run(&fetch, &serde_json::json!([]));
    assert!(fails(|| page.assert_clean()));
    drop(page);

    let alerting = site("<script>setTimeout(() => alert(1))</script>");
    let Some(page) = Page::open_at(&alerting.url(""), "/") else { return };
    page.until("the dialog opens", || page.has_dialog().then_some(()));
    assert!(fails(|| page.assert_clean()));
}

#[test]
fn low_contrast_and_missing_names_are_detected() {
    let site = site(
        "<p style='color: #ccc; background: #fff'>pale</p><button></button>
         <p id=a>a</p><p id=a>b</p><i aria-labelledby=a role=img></i>",
    );
    let Some(page) = Page::open_at(&site.url(""), "/") else { return };
    let found = violations(&page);
    assert!(found.iter().any(|line| line.contains("color-contrast")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("button-name")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("duplicate-id-aria")), "{found:?}");
}

#[test]
fn a_terminal_shows_what_a_program_draws() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    terminal
        .type_line("printf '\\033[?1049h\\033[2J\\033[5;10Hmiddle'; read a; printf '\\033[?1049l'");
    terminal.wait_for("the screen is drawn", |screen| screen.contains("         middle"));
    assert_eq!(terminal.property("alternate_on"), "1");
    terminal.press("Enter");
    terminal.wait_for("the shell prompt is shown again", |screen| {
        screen.ends_with("$\n") || screen.contains("\n$")
    });
    assert_eq!(terminal.property("alternate_on"), "0");
}

#[test]
fn the_hostile_texts_run_on_a_page_without_escaping() {
    // Not every text runs by itself: some need a hover, or another browser.
    let texts: String = TEXTS.iter().map(|text| format!("<div>{text}</div>")).collect();
    let page = format!("<!doctype html><title>a</title><link rel=icon href=data:,>{texts}");
    let site = Target::start(move |caller, _| {
        caller.answer("200 OK", "content-type: text/html; charset=utf-8\r\n", &page);
    });
    let Some(page) = Page::open_at(&site.url(""), "/") else { return };
    page.until("a script has run", || page.ran_hostile_script().then_some(()));
}
