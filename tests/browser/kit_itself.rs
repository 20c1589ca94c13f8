//! The kit sees what it is there to see.

use crate::axe::violations;
use crate::hostile::TEXTS;
use crate::kit::target::Target;
use crate::page::Page;
use crate::terminal::Terminal;

/// A server whose only page has this body.
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

/// Whether something panics, as a failing check does.
fn fails(check: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err()
}

#[test]
fn a_page_is_driven_as_a_user_would() {
    let site = site(
        "<form><label for=a>Letter</label><input id=a name=a><button>Go <b>on</b></button></form>
         <noscript>no script here</noscript><script>document.title = 'run'</script>",
    );
    let Some(page) = Page::of_origin(&site.url(""), "/") else { return };
    assert_eq!(page.value("document.title"), "run");
    page.fill("#a", "1");
    page.press("Go on");
    page.wait_for_path("/?a=1");
    page.allow_scripts(false);
    page.goto("/");
    page.wait_for_text("no script here");
    assert_eq!(page.value("document.title"), "A page");
    page.assert_clean();
}

#[test]
fn a_complaint_a_foreign_request_and_a_dialog_are_seen() {
    let noisy = site("<script>console.warn('loud')</script>");
    let Some(page) = Page::of_origin(&noisy.url(""), "/") else { return };
    assert!(fails(|| page.assert_clean()));
    drop(page);

    let other = site("");
    let asking = format!("fetch('{}', {{mode: 'no-cors'}}); return 1", other.url("/"));
    let Some(page) = Page::of_origin(&other.url("").replace("127.0.0.1", "localhost"), "/") else {
        return;
    };
    page.run(&asking, &serde_json::json!([]));
    assert!(fails(|| page.assert_clean()));
    drop(page);

    let asking = site("<script>setTimeout(() => alert(1))</script>");
    let Some(page) = Page::of_origin(&asking.url(""), "/") else { return };
    page.until("the dialog opens", || page.has_dialog().then_some(()));
    assert!(fails(|| page.assert_clean()));
}

#[test]
fn what_cannot_be_read_or_has_no_name_is_seen() {
    let site = site(
        "<p style='color: #ccc; background: #fff'>pale</p><button></button>
         <p id=a>a</p><p id=a>b</p><i aria-labelledby=a role=img></i>",
    );
    let Some(page) = Page::of_origin(&site.url(""), "/") else { return };
    let found = violations(&page);
    assert!(found.iter().any(|line| line.contains("color-contrast")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("button-name")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("duplicate-id-aria")), "{found:?}");
}

#[test]
fn a_terminal_shows_what_a_program_draws() {
    let Some(terminal) = Terminal::open(80, 24) else { return };
    terminal.line("printf '\\033[?1049h\\033[2J\\033[5;10Hmiddle'; read a; printf '\\033[?1049l'");
    terminal.wait_for("the screen is drawn", |screen| screen.contains("         middle"));
    assert_eq!(terminal.property("alternate_on"), "1");
    terminal.press("Enter");
    terminal
        .wait_for("the shell is back", |screen| screen.ends_with("$\n") || screen.contains("\n$"));
    assert_eq!(terminal.property("alternate_on"), "0");
}

#[test]
fn the_hostile_texts_do_harm_where_a_page_lets_them() {
    // Not each by itself: some wait for a hover, or for another browser.
    let texts: String = TEXTS.iter().map(|text| format!("<div>{text}</div>")).collect();
    let page = format!("<!doctype html><title>a</title><link rel=icon href=data:,>{texts}");
    let site = Target::start(move |caller, _| {
        caller.answer("200 OK", "content-type: text/html; charset=utf-8\r\n", &page);
    });
    let Some(page) = Page::of_origin(&site.url(""), "/") else { return };
    page.until("a script has run", || page.was_harmed().then_some(()));
}
