//! The web pages, as a browser without a script meets them.

use serde_json::{Value, json};

use crate::kit::{Response, Server, Setup, echo, eventually, sleep, with};

/// What makes an answer a page for a reader.
const READER: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

/// What would run, or stand out, if it were put into a page as it is.
const EVIL: &str = "</title></textarea><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

fn look(server: &Server, path: &str) -> Response {
    server.request("GET", path, &[READER], b"")
}

/// The page at a path, whole and with what every page has.
fn page(server: &Server, path: &str) -> String {
    let answer = look(server, path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    checked(path, &answer)
}

/// The text of a page, after a look at what every page has.
fn checked(path: &str, answer: &Response) -> String {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{path}");
    }
    let text = String::from_utf8(answer.body.clone()).unwrap();
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
        READER,
    ];
    server.request("POST", path, &headers, form.as_bytes())
}

/// Sends a form and gives where it leads.
fn led_to(server: &Server, path: &str, form: &str) -> String {
    let answer = send(server, path, form);
    assert_eq!(answer.status, 303, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.header("location").unwrap().to_owned()
}

fn fill(server: &Server) -> (i64, Value) {
    let id = server.submit(&with(
        echo(json!({"a": [1.25, EVIL]})),
        &json!({"tags": ["<script>alert(1)</script>"]}),
    ));
    server.finished(id);
    let batch = json!({"name": EVIL, "jobs": [echo(1), sleep("1h"), echo(EVIL)]});
    let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
    (id, batch)
}

#[test]
fn a_server_without_any_configuration_shows_its_pages_at_once() {
    let server = Server::start();
    for (path, told) in [
        ("/", "waits for its first job"),
        ("/jobs", "No jobs yet"),
        ("/batches", "No batches yet"),
        ("/submit", "Submit a job"),
    ] {
        assert!(page(&server, path).contains(told), "{path}");
    }
}

#[test]
fn every_page_is_whole_and_no_text_becomes_markup() {
    let server = Server::start();
    let (id, batch) = fill(&server);
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
        "/queues/default".into(),
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
fn what_leads_nowhere_is_a_page_for_readers_and_a_problem_for_programs() {
    let server = Server::start();
    for path in ["/nowhere", "/jobs/17", "/jobs/x", "/batches/17", "/queues/none", "/queues/No"] {
        let answer = look(&server, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(checked(path, &answer).contains("Not found"));
    }
    server.get("/nowhere").problem(404);
    look(&server, "/v1/nowhere").problem(404);
    let answer = look(&server, "/jobs/1/cancel");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    checked("/jobs/1/cancel", &answer);
}

#[test]
fn a_filter_that_cannot_be_read_is_named_on_the_page() {
    let server = Server::start();
    let path = "/jobs?state=lost&queue=NO&batch=x&cursor=y&id=z";
    let answer = look(&server, path);
    assert_eq!(answer.status, 400);
    let text = checked(path, &answer);
    for told in
        ["state is not a state", "queue is not a name", "batch is a number", "id is a number"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    // It would only be refused again.
    assert!(!text.contains("data-events") && !text.contains("http-equiv"));
}

#[test]
fn the_list_is_filtered_and_leads_on_page_by_page() {
    let server = Server::start();
    let jobs: Vec<Value> =
        (0..120).map(|number| with(echo(number), &json!({"queue": "many"}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    server.finished(server.submit(&with(echo(1), &json!({"tags": ["a&b"]}))));
    eventually("all have ended", || {
        (server.queue("many")["jobs"]["completed"] == 120).then_some(())
    });
    let mut path = "/jobs?queue=many&state=completed".to_owned();
    let mut seen = Vec::new();
    loop {
        let text = page(&server, &path);
        assert!(text.contains(">120</span>"), "counts are those of the queue");
        let rows = text.match_indices("<tr id=\"job-").map(|(at, begin)| {
            let rest = &text[at + begin.len()..];
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
    assert!(!tagged.contains("<span class=\"num\">121"), "nothing is counted by tags");
    assert!(page(&server, "/jobs?tag=other").contains("No job matches"));
    let chosen = "name=\"queue\" list=\"queues\" value=\"other\"";
    assert!(page(&server, "/jobs?queue=other").contains(chosen));
    assert_eq!(look(&server, "/jobs?id=121").header("location"), Some("/jobs/121"));
}

#[test]
fn forms_act_and_lead_back() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..3).map(|_| with(echo(1), &json!({"delay": "1h"}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    assert_eq!(led_to(&server, "/jobs/1/cancel", ""), "/jobs/1");
    assert_eq!(server.job(1)["state"], "cancelled");
    assert_eq!(led_to(&server, "/jobs/1/retry", ""), "/jobs/1");
    server.finished(1);
    let back = led_to(&server, "/jobs/selected", "deed=cancel&id=1&id=2&id=3&back=?state=queued");
    assert_eq!(back, "/jobs?state=queued&did=cancel&done=2&refused=1");
    assert!(
        page(&server, &back).contains("2 jobs were called off, or told to stop. 1 could not be")
    );
    assert_eq!(
        led_to(&server, "/jobs/selected", "deed=delete"),
        "/jobs?did=delete&done=0&refused=0"
    );
    assert!(led_to(&server, "/jobs/1/delete", "").starts_with("/jobs?did=delete&done=1"));
    server.get("/v1/jobs/1").problem(404);
    let ended = server.submit(&echo(1));
    server.finished(ended);
    assert_eq!(send(&server, &format!("/jobs/{ended}/cancel"), "").status, 409);
    assert_eq!(send(&server, "/jobs/99/cancel", "").status, 404);
    assert_eq!(send(&server, "/jobs/selected", "deed=burn&id=2").status, 400);
    let batch = json!({"jobs": [sleep("1h"), sleep("1h")]});
    server.post("/v1/batches", &batch).expect(202);
    assert_eq!(led_to(&server, "/batches/1/cancel", ""), "/batches/1");
    eventually("the batch ends", || {
        let batch = server.get("/v1/batches/1").expect(200);
        (batch["counts"]["cancelled"] == 2).then_some(())
    });
}

#[test]
fn a_queue_is_paused_and_limited_by_forms() {
    let server = Server::start();
    server.run(&echo(1));
    assert_eq!(led_to(&server, "/queues/default/pause", "back=overview"), "/");
    assert_eq!(server.queue("default")["paused"], true);
    assert!(page(&server, "/").contains("/queues/default/resume"));
    assert_eq!(led_to(&server, "/queues/default/resume", ""), "/queues/default");
    let limits = "max_running=3&rate_limit=10&rate_period=1m";
    assert_eq!(led_to(&server, "/queues/default/limits", limits), "/queues/default");
    let queue = server.queue("default");
    assert_eq!((&queue["paused"], &queue["max_running"]), (&json!(false), &json!(3)));
    assert_eq!(queue["rate"], json!({"limit": 10, "period": "1m"}));
    let answer = send(&server, "/queues/default/limits", "max_running=many&rate_limit=10");
    assert_eq!(answer.status, 422);
    let text = checked("limits", &answer);
    assert!(text.contains("is a number, or empty for no limit") && text.contains("value=\"many\""));
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
        let path = led_to(&server, "/submit", form);
        let id = path.strip_prefix("/jobs/").unwrap().parse().unwrap();
        let job = server.finished(id);
        assert_eq!(job["payload"], payload, "{form}");
        page(&server, &path);
    }
    assert_eq!(server.job(1)["tags"], json!(["a", "b"]));
    let again = page(&server, "/submit?from=1");
    assert!(again.contains("1.50") && again.contains(">\na\nb</textarea>"), "{again}");
}

#[test]
fn what_is_wrong_with_a_submission_stands_at_its_field() {
    let server = Server::start();
    for (form, told) in [
        ("kind=echo&payload=%7B%22a%22", "EOF while parsing"),
        ("kind=http&url=ftp://a&queue=NO", "not a name"),
        ("kind=sleep&duration=soon", "duration"),
        ("kind=echo&priority=900", "must be between -100 and 100"),
        ("kind=none&payload=1", "is not a known kind"),
    ] {
        let answer = send(&server, "/submit", form);
        assert_eq!(answer.status, 422, "{form}");
        let text = checked(form, &answer);
        assert!(text.contains(told), "{form}: {text}");
    }
    let form = "kind=echo&payload=%7Bnonsense&queue=mail";
    let text = checked(form, &send(&server, "/submit", form));
    assert!(text.contains("{nonsense") && text.contains("value=\"mail\""), "nothing is lost");
    assert!(text.contains("aria-invalid=\"true\""));
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn a_form_that_is_sent_twice_makes_one_job() {
    let server = Server::start();
    let once = || {
        let page = page(&server, "/submit?kind=echo");
        page.split("name=\"once\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (first, second) = (once(), once());
    let form = |once: &str, payload: u8| format!("kind=echo&payload={payload}&once={once}");
    assert_eq!(led_to(&server, "/submit", &form(&first, 1)), "/jobs/1");
    assert_eq!(led_to(&server, "/submit", &form(&first, 1)), "/jobs/1");
    // What was changed, or comes from another page, is another job.
    assert_eq!(led_to(&server, "/submit", &form(&first, 2)), "/jobs/2");
    assert_eq!(led_to(&server, "/submit", &form(&second, 1)), "/jobs/3");
}

#[test]
fn the_same_form_with_one_key_makes_one_job() {
    let server = Server::start();
    let form = "kind=echo&payload=1&idempotency_key=a+b";
    assert_eq!(led_to(&server, "/submit", form), "/jobs/1");
    assert_eq!(led_to(&server, "/submit", form), "/jobs/1");
    let other = send(&server, "/submit", "kind=echo&payload=2&idempotency_key=a+b");
    assert_eq!(other.status, 422);
    assert!(checked("key", &other).contains("was used before"));
}

#[test]
fn a_form_of_another_page_or_of_none_is_refused_before_any_effect() {
    let server = Server::start();
    server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let own = server.url();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let paths = ["/jobs/1/cancel", "/jobs/selected", "/queues/default/pause", "/submit"];
    for path in paths {
        let body = b"deed=cancel&id=1&kind=echo";
        assert_eq!(server.request("POST", path, &[form, READER], body).status, 403, "{path}");
        for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
            let headers = [("origin", origin), form, READER];
            assert_eq!(server.request("POST", path, &headers, body).status, 403, "{path}");
        }
        let json = [("origin", own.as_str()), ("content-type", "application/json"), READER];
        assert_eq!(server.request("POST", path, &json, b"{}").status, 415, "{path}");
    }
    assert_eq!(server.job(1)["state"], "scheduled");
    assert_eq!(server.queue("default")["paused"], false);
}

#[test]
fn assets_are_kept_by_their_version() {
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
fn a_page_shows_how_things_stand_now() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.reaches(id, "running");
    let text = page(&server, &format!("/jobs/{id}"));
    assert!(text.contains("class=\"state running\"") && text.contains("Attempt 1 began"), "{text}");
    assert!(text.contains(&format!("data-events=\"/v1/jobs/{id}/events\"")), "{text}");
    assert!(page(&server, "/").contains("<th scope=\"row\">async</th>"));
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    server.finished(id);
    let text = page(&server, &format!("/jobs/{id}"));
    assert!(text.contains("class=\"state cancelled\"") && !text.contains("data-events"), "{text}");
}
