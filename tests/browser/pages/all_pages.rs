//! Rules that hold for every page: accessibility, use by keyboard, on a phone and without scripts.

use serde_json::{Value, json};

use crate::chromium::axe::violations;
use crate::chromium::page::Page;
use crate::kit::{Server, echo, sleep, with};
use crate::sample_server::SampleServer;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Returns the paths of pages of every kind, on a server with jobs in all states.
fn pages(samples: &SampleServer) -> Vec<String> {
    let (batch, broken) = (samples.submit_batch(), samples.submit_failing_job());
    samples.fill();
    let server = &samples.server;
    let failed =
        server.run(&json!({"kind": "command", "payload": {"name": "export"}, "max_attempts": 1}));
    let mut pages: Vec<String> = [
        "/",
        "/jobs",
        "/jobs?state=failed",
        "/jobs?state=lost",
        "/jobs?tag=none",
        "/batches",
        "/submit",
        "/queues",
        "/queues/images",
        "/queues/reports",
        "/providers",
        "/keys",
        "/jobs/999999999",
        "/nowhere",
    ]
    .map(String::from)
    .into();
    pages.extend(
        ["http", "chat", "command", "sleep", "echo"].map(|kind| format!("/submit?kind={kind}")),
    );
    // Its webhook is refused, because nothing listens there.
    let callback = json!({"callback": {"url": "http://localhost:1/hook"}, "then": echo(2)});
    let with_webhook = server.run(&with(echo(1), &callback));
    let final_jobs = [broken, failed["id"].as_i64().unwrap(), with_webhook["id"].as_i64().unwrap()];
    pages.extend(final_jobs.map(|id| format!("/jobs/{id}")));
    pages.push(format!("/batches/{batch}"));
    pages.push(format!("/submit?from={broken}"));
    pages.push("/demo".into());
    pages
}

/// Console messages of the pages that are expected to fail.
const EXPECTED_FAILURES: [&str; 2] = ["status of 400", "status of 404"];

#[test]
fn no_page_violates_an_accessibility_rule_in_light_or_dark_mode() {
    let samples = SampleServer::start();
    let pages = pages(&samples);
    let Some(page) = Page::blank(&samples.server.url()) else { return };
    let mut found = Vec::new();
    for path in pages {
        page.goto(&path);
        for scheme in ["light", "dark"] {
            page.set_color_scheme(scheme);
            found.extend(
                violations(&page).into_iter().map(|line| format!("{path} {scheme}: {line}")),
            );
        }
        found.extend(
            controls_without_name(&page)
                .into_iter()
                .map(|line| format!("{path}: no accessible name: {line}")),
        );
    }
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
    page.assert_clean_except(&EXPECTED_FAILURES);
}

/// Returns the controls of the page that have no accessible name.
fn controls_without_name(page: &Page) -> Vec<String> {
    let roles = [
        "button",
        "link",
        "textbox",
        "combobox",
        "checkbox",
        "radio",
        "searchbox",
        "spinbutton",
        "table",
        "progressbar",
        "meter",
    ];
    let tree = page.accessibility_tree();
    let is_role =
        |node: &&Value| roles.contains(&node["role"]["value"].as_str().unwrap_or_default());
    let controls: Vec<&Value> =
        tree.iter().filter(|node| node["ignored"] != true).filter(is_role).collect();
    assert!(controls.len() > 5, "the accessibility tree is nearly empty: {tree:?}");
    let is_table = |node: &Value| node["role"]["value"] == "table";
    let has_no_name = |node: &&&Value| {
        !is_table(node) && node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()
    };
    controls.iter().filter(has_no_name).map(|node| node.to_string()).collect()
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let samples = SampleServer::start();
    let pages = pages(&samples);
    let Some(page) = Page::blank(&samples.server.url()) else { return };
    let mut found = Vec::new();
    for path in &pages {
        page.size(390, 844);
        page.goto(path);
        for (width, height) in [(390, 844), (360, 640)] {
            page.size(width, height);
            let wide = page.run(TOO_WIDE, &json!([]));
            if wide != json!([]) {
                found.push(format!("{path} at {width}: {wide}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    page.assert_clean_except(&EXPECTED_FAILURES);
}

/// Returns the elements that extend beyond the right edge, if the page can be scrolled sideways.
const TOO_WIDE: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width && document.body.scrollWidth <= width) return [];
    return [document.documentElement.scrollWidth].concat(Array.from(document.querySelectorAll('body *'))
        .filter((element) => element.getBoundingClientRect().right > width + 0.5)
        .map((element) => element.outerHTML.slice(0, 100)).slice(0, 5))";

/// Returns the focused element: its name, whether it is visible, and whether it shows the focus.
const FOCUSED: &str = "
    const element = document.activeElement, box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const ring = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== 'none'
        || style.boxShadow !== 'none';
    return {tag: element.tagName, ring, name: element.getAttribute('aria-label') ?? element.innerText,
        visible: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
            && box.top < innerHeight && box.left < innerWidth}";

#[test]
fn every_control_is_reachable_by_keyboard_and_shows_the_focus() {
    let server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    page.keys(TAB);
    assert_eq!(page.run(FOCUSED, &json!([]))["name"], "Skip to content");
    page.keys(ENTER);
    page.keys(TAB);
    let inside = "document.getElementById('main').contains(document.activeElement)";
    assert_eq!(page.value(inside), true, "the skip link did not lead to the content");
    for path in [
        "/".to_owned(),
        "/queues".into(),
        "/jobs".into(),
        format!("/jobs/{running}"),
        "/submit".into(),
        "/queues/default".into(),
    ] {
        page.goto(&path);
        let usable = "Array.from(document.querySelectorAll('a[href], button, input, select, textarea, summary'))
            .filter((element) => element.offsetParent !== null && !element.disabled && element.type !== 'hidden').length";
        let usable = page.value(usable).as_u64().unwrap();
        let mut reached = 0;
        for _ in 0..usable + 5 {
            page.keys(TAB);
            let focused = page.run(FOCUSED, &json!([]));
            if focused["tag"] == "BODY" {
                break;
            }
            assert_eq!(
                (&focused["ring"], &focused["visible"]),
                (&json!(true), &json!(true)),
                "{path}: {focused}"
            );
            reached += 1;
        }
        assert!(reached + 2 >= usable, "{path}: {reached} of {usable} controls are reached");
    }
    page.assert_clean();
}

#[test]
fn a_job_can_be_cancelled_by_keyboard_alone() {
    let server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    focus(&page, &running.to_string());
    page.keys(ENTER);
    page.wait_for_path(&format!("/jobs/{running}"));
    focus(&page, "Cancel");
    page.keys(ENTER);
    page.until("the job is cancelled", || {
        (page.text("h1 .state").as_deref() == Some("cancelled")).then_some(())
    });
    page.assert_clean();
}

/// Presses Tab until the element with this name has the focus.
fn focus(page: &Page, name: &str) {
    for _ in 0..60 {
        page.keys(TAB);
        if page.run(FOCUSED, &json!([]))["name"] == name {
            return;
        }
    }
    panic!("Tab does not reach {name:?}");
}

#[test]
fn without_scripts_pages_show_data_accept_forms_and_reload() {
    let server = Server::start();
    let failed = server.run(
        &json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1}),
    );
    let failed = failed["id"].as_i64().unwrap();
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let Some(page) = Page::blank(&server.url()) else { return };
    page.allow_scripts(false);
    for path in ["/", "/jobs", "/queues/default", &format!("/jobs/{running}")] {
        page.goto(path);
        assert_eq!(page.count("noscript meta[http-equiv=refresh]"), 1, "{path}");
        assert!(page.text("main").unwrap().contains("running"), "{path}: {}", page.all_text());
    }
    page.press("Cancel");
    page.until("the job is cancelled", || {
        (server.job(running)["state"] == "cancelled").then_some(())
    });
    // The page reloads by itself.
    page.until("the page shows the new state", || {
        (page.text("h1 .state").as_deref() == Some("cancelled")).then_some(())
    });
    page.goto("/jobs?state=failed");
    page.click(&format!("input[name=id][value='{failed}']"));
    page.press("Delete");
    page.wait_for_text("1 job was deleted");
    assert_eq!(server.get(&format!("/v1/jobs/{failed}")).status, 404);
    page.goto("/");
    page.click("[aria-label='Pause queue default']");
    page.until("the queue is paused", || (server.queue("default")["paused"] == true).then_some(()));
    page.goto("/submit?kind=echo");
    page.fill("textarea[name=payload]", "{\"by\": \"hand\"}");
    page.press("Submit");
    page.until("the page of the job is open", || page.path().starts_with("/jobs/").then_some(()));
    page.wait_for_text("hand");
    page.assert_clean();
}

#[test]
fn an_open_page_continues_after_a_restart_of_the_server() {
    let mut server = Server::start();
    let batch = json!({"jobs": [with(sleep("1h"), &json!({"max_attempts": 10})), {"kind": "show", "lane": "remote"}]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
    let jobs = server.get(&format!("/v1/jobs?batch={batch}")).expect(200)["jobs"].clone();
    let [remote, running] = [0, 1].map(|at| jobs[at]["id"].as_i64().unwrap());
    server.wait_for_state(running, "running");
    let (job, batch) = (format!("/jobs/{running}"), format!("/batches/{batch}"));
    let Some(page) = Page::open(&server, "/") else { return };
    let paths = ["/", "/jobs", &job, "/queues/default", &batch];
    for (path, attempt) in paths.into_iter().zip(1..) {
        page.goto(path);
        page.run("window.marker = 'the same page'", &json!([]));
        server.kill();
        page.wait_for_text("Server unreachable");
        server.restart_at_same_address();
        page.wait_for(
            "the page is live",
            "document.getElementById('live-status').innerText === 'Live'",
        );
        // The job of the killed server runs again, and the page shows further changes.
        server.wait_for_state(running, "running");
        let new = server.submit(&echo(attempt));
        server.patch("/v1/queues/new", &json!({"paused": true})).expect(200);
        let condition = match path {
            "/" => "document.getElementById('queue-new')".into(),
            "/jobs" => format!("document.getElementById('job-{new}')"),
            "/queues/default" => format!("document.querySelector('#latest #job-{new}')"),
            path if path == batch => {
                server.post_empty(&format!("/v1/jobs/{remote}/cancel")).expect(200);
                "document.getElementById('progress-title').innerText.startsWith('1 of 2')".into()
            }
            _ => {
                let timeline = "document.getElementById('timeline').innerText";
                format!("{timeline}.includes('Attempt {attempt} failed')")
            }
        };
        page.wait_for(&format!("{path} shows the change"), &condition);
        assert_eq!(page.value("window.marker"), "the same page");
    }
    // The browser logs the requests that failed while the server was down.
    page.assert_clean_except(&["net::ERR_"]);
}
