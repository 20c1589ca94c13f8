//! What holds on every page: for those who do not see it, who have no mouse, no script, or a phone.

use serde_json::{Value, json};

use crate::axe::violations;
use crate::kit::{Server, echo, sleep, with};
use crate::page::Page;
use crate::scenery::Scenery;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A page of each sort, with something on it.
fn pages(scenery: &Scenery) -> Vec<String> {
    let (batch, broken) = (scenery.batch(), scenery.broken());
    scenery.fill();
    let server = &scenery.server;
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
        "/queues/images",
        "/queues/reports",
        "/jobs/999999999",
        "/nowhere",
    ]
    .map(String::from)
    .into();
    pages.extend(
        ["http", "chat", "command", "sleep", "echo"].map(|kind| format!("/submit?kind={kind}")),
    );
    pages.extend([broken, failed["id"].as_i64().unwrap()].map(|id| format!("/jobs/{id}")));
    pages.push(format!("/batches/{batch}"));
    pages.push(format!("/submit?from={broken}"));
    pages.push("/demo".into());
    pages
}

/// What a page without jobs may have as well.
const REFUSED: [&str; 2] = ["status of 400", "status of 404"];

#[test]
fn no_page_breaks_a_rule_of_accessibility_be_it_light_or_dark() {
    let scenery = Scenery::start();
    let pages = pages(&scenery);
    let Some(page) = Page::blank(&scenery.server.url()) else { return };
    let mut found = Vec::new();
    for path in pages {
        page.goto(&path);
        for scheme in ["light", "dark"] {
            page.prefer(scheme);
            found.extend(
                violations(&page).into_iter().map(|line| format!("{path} {scheme}: {line}")),
            );
        }
        found.extend(nameless(&page).into_iter().map(|line| format!("{path}: no name: {line}")));
    }
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
    page.assert_clean_but_for(&REFUSED);
}

/// What can be used on the page and has no name for those who do not see it.
fn nameless(page: &Page) -> Vec<String> {
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
    let used: Vec<&Value> =
        tree.iter().filter(|node| node["ignored"] != true).filter(is_role).collect();
    assert!(used.len() > 5, "the tree has next to nothing: {tree:?}");
    let is_table = |node: &Value| node["role"]["value"] == "table";
    let has_no_name = |node: &&&Value| {
        !is_table(node) && node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()
    };
    used.iter().filter(has_no_name).map(|node| node.to_string()).collect()
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let scenery = Scenery::start();
    let pages = pages(&scenery);
    let Some(page) = Page::blank(&scenery.server.url()) else { return };
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
    page.assert_clean_but_for(&REFUSED);
}

/// Where the page can be scrolled sideways: the elements that reach over its edge.
const TOO_WIDE: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width && document.body.scrollWidth <= width) return [];
    return [document.documentElement.scrollWidth].concat(Array.from(document.querySelectorAll('body *'))
        .filter((element) => element.getBoundingClientRect().right > width + 0.5)
        .map((element) => element.outerHTML.slice(0, 100)).slice(0, 5))";

/// What has the focus: its name, whether it can be seen, and whether the focus can.
const FOCUSED: &str = "
    const element = document.activeElement, box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const ring = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== 'none'
        || style.boxShadow !== 'none';
    return {tag: element.tagName, ring, name: element.getAttribute('aria-label') ?? element.innerText,
        seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
            && box.top < innerHeight && box.left < innerWidth}";

#[test]
fn everything_is_reached_with_the_keyboard_and_shows_that_it_is() {
    let server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.reaches(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    page.keys(TAB);
    assert_eq!(page.run(FOCUSED, &json!([]))["name"], "Skip to content");
    page.keys(ENTER);
    page.keys(TAB);
    let inside = "document.getElementById('main').contains(document.activeElement)";
    assert_eq!(page.value(inside), true, "the first link has not led to the content");
    for path in [
        "/".to_owned(),
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
                (&focused["ring"], &focused["seen"]),
                (&json!(true), &json!(true)),
                "{path}: {focused}"
            );
            reached += 1;
        }
        assert!(reached + 2 >= usable, "{path}: {reached} of {usable} are reached");
    }
    page.assert_clean();
}

#[test]
fn a_job_is_cancelled_with_the_keyboard_alone() {
    let server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.reaches(running, "running");
    let Some(page) = Page::open(&server, "/jobs") else { return };
    focus(&page, &running.to_string());
    page.keys(ENTER);
    page.wait_for_path(&format!("/jobs/{running}"));
    focus(&page, "Cancel");
    page.keys(ENTER);
    page.until("it is cancelled", || {
        (page.text("h1 .state").as_deref() == Some("cancelled")).then_some(())
    });
    page.assert_clean();
}

/// Goes on with Tab to what has this name.
fn focus(page: &Page, name: &str) {
    for _ in 0..60 {
        page.keys(TAB);
        if page.run(FOCUSED, &json!([]))["name"] == name {
            return;
        }
    }
    panic!("Tab does not lead to {name:?}");
}

#[test]
fn without_script_pages_tell_and_act_and_load_themselves_anew() {
    let server = Server::start();
    let failed = server.run(
        &json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1}),
    );
    let failed = failed["id"].as_i64().unwrap();
    let running = server.submit(&sleep("1h"));
    server.reaches(running, "running");
    let Some(page) = Page::blank(&server.url()) else { return };
    page.allow_scripts(false);
    for path in ["/", "/jobs", "/queues/default", &format!("/jobs/{running}")] {
        page.goto(path);
        assert_eq!(page.count("noscript meta[http-equiv=refresh]"), 1, "{path}");
        assert!(page.text("main").unwrap().contains("running"), "{path}: {}", page.all_text());
    }
    page.press("Cancel");
    page.until("it is cancelled", || (server.job(running)["state"] == "cancelled").then_some(()));
    // The page comes anew by itself.
    page.until("the page knows", || {
        (page.text("h1 .state").as_deref() == Some("cancelled")).then_some(())
    });
    page.goto("/jobs?state=failed");
    page.click(&format!("input[name=id][value='{failed}']"));
    page.press("Delete");
    page.wait_for_text("1 job was deleted");
    assert_eq!(server.get(&format!("/v1/jobs/{failed}")).status, 404);
    page.goto("/");
    page.click("[aria-label='Pause queue default']");
    page.until("it is paused", || (server.queue("default")["paused"] == true).then_some(()));
    page.goto("/submit?kind=echo");
    page.fill("textarea[name=payload]", "{\"by\": \"hand\"}");
    page.press("Submit");
    page.until("the job is there", || page.path().starts_with("/jobs/").then_some(()));
    page.wait_for_text("hand");
    page.assert_clean();
}

#[test]
fn a_page_that_is_left_open_goes_on_after_the_server_was_started_again() {
    let mut server = Server::start();
    let batch = json!({"jobs": [with(sleep("1h"), &json!({"max_attempts": 10})), {"kind": "show", "lane": "remote"}]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
    let jobs = server.get(&format!("/v1/jobs?batch={batch}")).expect(200)["jobs"].clone();
    let [remote, running] = [0, 1].map(|at| jobs[at]["id"].as_i64().unwrap());
    server.reaches(running, "running");
    let (job, batch) = (format!("/jobs/{running}"), format!("/batches/{batch}"));
    let Some(page) = Page::open(&server, "/") else { return };
    let paths = ["/", "/jobs", &job, "/queues/default", &batch];
    for (path, attempt) in paths.into_iter().zip(1..) {
        page.goto(path);
        page.run("window.marker = 'the same page'", &json!([]));
        server.kill();
        page.wait_for_text("Not reachable");
        server.start_again_there();
        page.wait_for("it is live", "document.getElementById('pulse').innerText === 'Live'");
        // What the old server ran is running again, and the page learns more of it.
        server.reaches(running, "running");
        let new = server.submit(&echo(attempt));
        server.patch("/v1/queues/new", &json!({"paused": true})).expect(200);
        let news = match path {
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
        page.wait_for(&format!("{path} knows the news"), &news);
        assert_eq!(page.value("window.marker"), "the same page");
    }
    // What could not be reached meanwhile is told on the console by the browser itself.
    page.assert_clean_but_for(&["net::ERR_"]);
}
