//! The web pages as plain HTTP: headers, HTML and forms, without scripts.

mod again;
mod batches;
mod demo;
mod job;
mod keys;
mod links;
mod login;
mod origin;
mod permissions;
mod providers;
mod queues;

use serde_json::{Value, json};

use crate::kit::{Response, Server, Setup, echo, eventually, sleep, with};

/// The header with which browsers ask for a page.
const ACCEPT_HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

/// A text that would become markup and run as a script if it were not escaped.
const EVIL: &str = "</title></textarea><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

fn get_html(server: &Server, path: &str) -> Response {
    server.request("GET", path, &[ACCEPT_HTML], b"")
}

/// Returns the page at a path, after the checks that hold for every page.
fn page(server: &Server, path: &str) -> String {
    let response = get_html(server, path);
    assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
    checked(path, &response)
}

/// Checks what every page must have, and returns its text.
fn checked(path: &str, response: &Response) -> String {
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(response.header(name), Some(value), "{path}");
    }
    let text = String::from_utf8(response.body.clone()).unwrap();
    let scripts = text.matches("<script").count();
    assert!(text.contains("<script src=\"/assets/script.js?v=") && scripts == 1, "{path}: {text}");
    for inline in [" style=", " onclick=", " onerror=alert(1)>\"", "<style", "javascript:"] {
        assert!(!text.contains(inline), "{path} has {inline}");
    }
    assert!(text.contains("<html lang=\"en\">") && text.contains("<main id=\"main\""), "{path}");
    text
}

/// Sends a form as a browser does.
fn send(server: &Server, path: &str, form: &str) -> Response {
    let origin = server.url();
    let headers = [
        ("origin", origin.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ACCEPT_HTML,
    ];
    server.request("POST", path, &headers, form.as_bytes())
}

/// Sends a form and returns the address to which it redirects.
fn redirect_of(server: &Server, path: &str, form: &str) -> String {
    let response = send(server, path, form);
    assert_eq!(response.status, 303, "{path}: {}", String::from_utf8_lossy(&response.body));
    response.header("location").unwrap().to_owned()
}

/// Submits a job and a batch that contain [`EVIL`]. Returns their ids.
fn submit_evil_jobs(server: &Server) -> (i64, Value) {
    let id = server.submit(&with(
        echo(json!({"a": [1.25, EVIL]})),
        &json!({"tags": ["<script>alert(1)</script>"]}),
    ));
    server.wait_until_final(id);
    let batch = json!({"name": EVIL, "jobs": [echo(1), sleep("1h"), echo(EVIL)]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
    (id, batch)
}

#[test]
fn a_server_without_configuration_serves_its_pages() {
    let server = Server::start();
    for (path, expected) in [
        ("/", "waits for its first job"),
        ("/jobs", "No jobs yet"),
        ("/queues", "No queues yet"),
        ("/providers", "No provider is configured"),
        ("/batches", "No batches yet"),
        ("/submit", "Submit a job"),
    ] {
        assert!(page(&server, path).contains(expected), "{path}");
    }
}

#[test]
fn every_page_is_complete_and_no_text_becomes_markup() {
    let server = Server::start();
    let (id, batch) = submit_evil_jobs(&server);
    let failing = json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}});
    server.run(&with(failing, &json!({"max_attempts": 1})));
    let tag = "%3C%2Ftitle%3E%3C%2Ftextarea%3E%3Cscript%3Ealert(1)";
    for path in [
        "/".to_owned(),
        "/jobs".into(),
        format!("/jobs?tag={tag}"),
        format!("/jobs?kind={tag}&state=failed"),
        format!("/jobs?batch={batch}"),
        format!("/jobs/{id}"),
        "/batches".into(),
        format!("/batches/{batch}"),
        "/queues".into(),
        "/queues/default".into(),
        "/providers".into(),
        "/submit".into(),
        format!("/submit?kind={tag}"),
        format!("/submit?from={id}"),
        "/submit?kind=chat".into(),
        "/submit?kind=command".into(),
        "/submit?kind=sleep".into(),
    ] {
        let text = page(&server, &path);
        assert!(!text.contains("<img"), "{path}: {text}");
    }
    let text = page(&server, &format!("/jobs/{id}"));
    assert!(text.contains("&#60;script&#62;alert(1)") || text.contains("&lt;script"), "{text}");
    assert!(text.contains(">1.25<"));
}

#[test]
fn unknown_paths_return_a_page_to_browsers_and_a_problem_to_programs() {
    let server = Server::start();
    for path in ["/nowhere", "/jobs/17", "/jobs/x", "/batches/17", "/queues/none", "/queues/No"] {
        let response = get_html(&server, path);
        assert_eq!(response.status, 404, "{path}");
        assert!(checked(path, &response).contains("Not found"));
    }
    server.get("/nowhere").problem(404);
    get_html(&server, "/v1/nowhere").problem(404);
    let response = get_html(&server, "/jobs/1/cancel");
    assert_eq!((response.status, response.header("allow")), (405, Some("POST")));
    checked("/jobs/1/cancel", &response);
}

#[test]
fn an_invalid_filter_is_named_on_the_page() {
    let server = Server::start();
    let path = "/jobs?state=lost&queue=NO&batch=x&cursor=y&id=z";
    let response = get_html(&server, path);
    assert_eq!(response.status, 400);
    let text = checked(path, &response);
    for expected in
        ["state must be", "queue must be", "batch must be a number", "id must be a number"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // Refreshing the page would only fail again.
    assert!(!text.contains("data-events") && !text.contains("http-equiv"));
}

#[test]
fn the_list_is_filtered_and_paged() {
    let server = Server::start();
    let jobs: Vec<Value> =
        (0..120).map(|number| with(echo(number), &json!({"queue": "many"}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    server.wait_until_final(server.submit(&with(echo(1), &json!({"tags": ["a&b"]}))));
    eventually("all jobs are finished", || {
        (server.queue("many")["jobs"]["completed"] == 120).then_some(())
    });
    let mut path = "/jobs?queue=many&state=completed".to_owned();
    let mut seen = Vec::new();
    loop {
        let text = page(&server, &path);
        assert!(text.contains(">120</span>"), "the counts are those of the queue");
        let rows = text.match_indices("<tr id=\"job-").map(|(at, prefix)| {
            let rest = &text[at + prefix.len()..];
            rest.split_once('"').unwrap().0.parse::<i64>().unwrap()
        });
        seen.extend(rows);
        let Some((_, rest)) = text.split_once("rel=\"next\" href=\"") else { break };
        let link = rest.split_once('"').unwrap().0;
        path = link.replace("&#38;", "&").replace("&amp;", "&");
        assert!(path.starts_with("/jobs?state=completed&queue=many&cursor="), "{path}");
    }
    assert_eq!(seen, (1..=120).rev().collect::<Vec<_>>());
    let tagged = page(&server, "/jobs?tag=a%26b");
    assert!(tagged.contains("<tr id=\"job-121\""));
    assert!(!tagged.contains("<span class=\"num\">121"), "jobs are not counted by tag");
    assert!(page(&server, "/jobs?tag=other").contains("No jobs match this filter."));
    let filled_in = "name=\"queue\" list=\"queues\" value=\"other\"";
    assert!(page(&server, "/jobs?queue=other").contains(filled_in));
    assert_eq!(get_html(&server, "/jobs?id=121").header("location"), Some("/jobs/121"));
}

#[test]
fn forms_act_and_redirect() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..3).map(|_| with(echo(1), &json!({"delay": "1h"}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    assert_eq!(redirect_of(&server, "/jobs/1/cancel", ""), "/jobs/1");
    assert_eq!(server.job(1)["state"], "cancelled");
    assert_eq!(redirect_of(&server, "/jobs/1/retry", ""), "/jobs/1");
    server.wait_until_final(1);
    let back = redirect_of(
        &server,
        "/jobs/selected",
        "job_action=cancel&id=1&id=2&id=3&back=?state=queued",
    );
    assert_eq!(back, "/jobs?state=queued&did=cancel&done=2&refused=1");
    assert!(
        page(&server, &back).contains("2 jobs were cancelled or asked to stop. 1 job was skipped")
    );
    assert_eq!(
        redirect_of(&server, "/jobs/selected", "job_action=delete"),
        "/jobs?did=delete&done=0&refused=0"
    );
    assert!(redirect_of(&server, "/jobs/1/delete", "").starts_with("/jobs?did=delete&done=1"));
    server.get("/v1/jobs/1").problem(404);
    let finished = server.submit(&echo(1));
    server.wait_until_final(finished);
    assert_eq!(send(&server, &format!("/jobs/{finished}/cancel"), "").status, 409);
    assert_eq!(send(&server, "/jobs/99/cancel", "").status, 404);
    assert_eq!(send(&server, "/jobs/selected", "job_action=burn&id=2").status, 400);
    let batch = json!({"jobs": [sleep("1h"), sleep("1h")]});
    server.post("/v1/batches", &batch).expect(202);
    assert_eq!(redirect_of(&server, "/batches/1/cancel", ""), "/batches/1");
    eventually("the batch is finished", || {
        let batch = server.get("/v1/batches/1").expect(200);
        (batch["counts"]["cancelled"] == 2).then_some(())
    });
}

#[test]
fn a_queue_is_paused_and_limited_by_forms() {
    let server = Server::start();
    server.run(&echo(1));
    assert_eq!(redirect_of(&server, "/queues/default/pause", "back=overview"), "/");
    assert_eq!(server.queue("default")["paused"], true);
    assert!(page(&server, "/").contains("/queues/default/resume"));
    assert_eq!(redirect_of(&server, "/queues/default/resume", ""), "/queues/default");
    let limits = "max_running=3&rate_limit=10&rate_period=1m";
    assert_eq!(redirect_of(&server, "/queues/default/limits", limits), "/queues/default");
    let queue = server.queue("default");
    assert_eq!((&queue["paused"], &queue["max_running"]), (&json!(false), &json!(3)));
    assert_eq!(queue["rate"], json!({"limit": 10, "period": "1m"}));
    let response = send(&server, "/queues/default/limits", "max_running=many&rate_limit=10");
    assert_eq!(response.status, 422);
    let text = checked("limits", &response);
    assert!(
        text.contains("must be a number, or empty for no limit") && text.contains("value=\"many\"")
    );
    assert_eq!(server.queue("default")["max_running"], 3);
}

#[test]
fn a_form_for_each_kind_submits_a_job() {
    let config = "[commands.greet]\nargv = ['echo', 'hello']";
    let server = Setup::new().config(config).start();
    for (form, payload) in [
        ("kind=echo&payload=%7B%22a%22%3A+1.50%7D&tags=a%0D%0Ab", json!({"a": 1.50})),
        ("kind=sleep&duration=1ms", json!({"duration": "1ms"})),
        ("kind=command&name=greet&args=x%0D%0Ay", json!({"name": "greet", "args": ["x", "y"]})),
        ("kind=http&url=http://127.0.0.1:1/&max_attempts=1", json!({"url": "http://127.0.0.1:1/"})),
    ] {
        let path = redirect_of(&server, "/submit", form);
        let id = path.strip_prefix("/jobs/").unwrap().parse().unwrap();
        let job = server.wait_until_final(id);
        assert_eq!(job["payload"], payload, "{form}");
        page(&server, &path);
    }
    assert_eq!(server.job(1)["tags"], json!(["a", "b"]));
    let again = page(&server, "/submit?from=1");
    assert!(again.contains("1.50") && again.contains(">\na\nb</textarea>"), "{again}");
}

#[test]
fn errors_of_a_submission_are_shown_at_their_fields() {
    let server = Server::start();
    for (form, expected) in [
        ("kind=echo&payload=%7B%22a%22", "EOF while parsing"),
        ("kind=http&url=ftp://a&queue=NO", "must be 1 to 64"),
        ("kind=sleep&duration=soon", "duration"),
        ("kind=echo&priority=900", "must be between -100 and 100"),
        ("kind=none&payload=1", "is not a known kind"),
    ] {
        let response = send(&server, "/submit", form);
        assert_eq!(response.status, 422, "{form}");
        let text = checked(form, &response);
        assert!(text.contains(expected), "{form}: {text}");
    }
    let form = "kind=echo&payload=%7Bnonsense&queue=mail";
    let text = checked(form, &send(&server, "/submit", form));
    assert!(text.contains("{nonsense") && text.contains("value=\"mail\""), "the input is kept");
    assert!(text.contains("aria-invalid=\"true\""));
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn a_form_that_is_sent_twice_submits_one_job() {
    let server = Server::start();
    let form_token = || {
        let page = page(&server, "/submit?kind=echo");
        page.split("name=\"form_token\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (form_token(), form_token());
    let form = |token: &str, payload: u8| format!("kind=echo&payload={payload}&form_token={token}");
    assert_eq!(redirect_of(&server, "/submit", &form(&first, 1)), "/jobs/1");
    assert_eq!(redirect_of(&server, "/submit", &form(&first, 1)), "/jobs/1");
    // An edited form, or the form of another page, submits another job.
    assert_eq!(redirect_of(&server, "/submit", &form(&first, 2)), "/jobs/2");
    assert_eq!(redirect_of(&server, "/submit", &form(&second, 1)), "/jobs/3");
}

#[test]
fn the_same_form_with_the_same_key_submits_one_job() {
    let server = Server::start();
    let form = "kind=echo&payload=1&idempotency_key=a+b";
    assert_eq!(redirect_of(&server, "/submit", form), "/jobs/1");
    assert_eq!(redirect_of(&server, "/submit", form), "/jobs/1");
    let other = send(&server, "/submit", "kind=echo&payload=2&idempotency_key=a+b");
    assert_eq!(other.status, 422);
    assert!(checked("key", &other).contains("was used before"));
}

#[test]
fn a_form_of_another_site_is_refused_without_effect() {
    let server = Server::start();
    server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let own = server.url();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let paths = ["/jobs/1/cancel", "/jobs/selected", "/queues/default/pause", "/submit"];
    for path in paths {
        let body = b"job_action=cancel&id=1&kind=echo";
        assert_eq!(server.request("POST", path, &[form, ACCEPT_HTML], body).status, 403, "{path}");
        for origin in
            ["https://evil.example", "null", "http://127.0.0.1:1", &own.replace("http", "https")]
        {
            let headers = [("origin", origin), form, ACCEPT_HTML];
            assert_eq!(server.request("POST", path, &headers, body).status, 403, "{path}");
        }
        let json = [("origin", own.as_str()), ("content-type", "application/json"), ACCEPT_HTML];
        assert_eq!(server.request("POST", path, &json, b"{}").status, 415, "{path}");
    }
    assert_eq!(server.job(1)["state"], "scheduled");
    assert_eq!(server.queue("default")["paused"], false);
}

#[test]
fn assets_are_cached_by_their_version() {
    let server = Server::start();
    let text = page(&server, "/");
    for (name, media_type) in
        [("style.css", "text/css; charset=utf-8"), ("script.js", "text/javascript; charset=utf-8")]
    {
        let (_, rest) = text.split_once(&format!("/assets/{name}")).unwrap();
        let path = format!("/assets/{name}{}", rest.split_once('"').unwrap().0);
        let asset = server.get(&path);
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(media_type)));
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
        let tag = asset.header("etag").unwrap().to_owned();
        let plain = format!("/assets/{name}");
        assert_eq!(server.get(&plain).header("cache-control"), Some("no-cache"));
        let again = server.request("GET", &plain, &[("if-none-match", &tag)], b"");
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    assert_eq!(server.get("/assets/icon.svg").header("content-type"), Some("image/svg+xml"));
}

#[test]
fn a_page_shows_the_current_state() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    let text = page(&server, &format!("/jobs/{id}"));
    assert!(
        text.contains("class=\"state running\"") && text.contains("Attempt 1 started"),
        "{text}"
    );
    assert!(text.contains(&format!("data-events=\"/v1/jobs/{id}/events\"")), "{text}");
    assert!(page(&server, "/").contains("<th scope=\"row\">async</th>"));
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    server.wait_until_final(id);
    let text = page(&server, &format!("/jobs/{id}"));
    assert!(text.contains("class=\"state cancelled\"") && !text.contains("data-events"), "{text}");
}
