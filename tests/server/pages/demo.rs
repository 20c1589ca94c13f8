//! The page `/demo`, and the kinds and providers that `longshore demo` adds for it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::demo::Demo;
use crate::kit::model::Model;
use crate::kit::{Connection, Response, Server, Setup};

/// The header with which browsers ask for a page.
const ACCEPT_HTML: [(&str, &str); 1] = [("accept", "text/html")];

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// Presses a button without script, and returns the response.
fn press(addr: SocketAddr, button: &str, fields: &str) -> Response {
    let origin = format!("http://{addr}");
    let form = [
        ("origin", origin.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
    ];
    let path = format!("/demo/{button}");
    Connection::open(addr).unwrap().request("POST", &path, &form, fields.as_bytes()).unwrap()
}

/// Returns the address to which a response redirects.
fn location(response: &Response) -> String {
    assert_eq!(response.status, 303, "{}", text(response));
    response.header("location").unwrap().to_owned()
}

#[test]
fn the_page_shows_its_requests_as_curl_commands() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("local")).start();
    let response = server.request("GET", "/demo", &ACCEPT_HTML, b"");
    assert_eq!(response.status, 200);
    assert!(response.header("content-security-policy").unwrap().contains("default-src 'self'"));
    let page = text(&response);
    for (path, count) in [("batches", 3), ("jobs", 1), ("jobs?wait=60s", 1)] {
        let command = format!("curl -s &#39;{}/v1/{path}&#39;", server.url());
        assert_eq!(page.matches(&command).count(), count, "{path}: {page}");
    }
    assert!(page.contains("curl -s -X PATCH"), "{page}");
    assert!(!page.contains("<script>") && !page.contains("style="), "{page}");
    // Only `longshore demo` has the kinds and the command of the heavy work.
    assert!(page.contains("<code>longshore demo</code>") && !page.contains("/demo/async"));
}

#[test]
fn a_server_without_a_provider_shows_how_to_get_one() {
    let server = Server::start();
    let page = text(&server.request("GET", "/demo", &ACCEPT_HTML, b""));
    assert!(page.contains("[providers.NAME]") && !page.contains("action=\"/demo/joke\""), "{page}");
    assert_eq!(press(server.addr(), "joke", "").status, 422);
    assert_eq!(press(server.addr(), "async", "").status, 422);
    assert_eq!(press(server.addr(), "rest", "").status, 404);
}

#[test]
fn the_buttons_work_without_scripts() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("local")).start();
    assert_eq!(location(&press(server.addr(), "start", "")), "/batches/1");
    assert_eq!(server.get("/v1/batches/1").expect(200)["total"], 2);
    assert_eq!(location(&press(server.addr(), "joke", "model=any&form_token=a")), "/jobs/3");
    // A double click submits one job.
    assert_eq!(location(&press(server.addr(), "joke", "model=any&form_token=a")), "/jobs/3");
    let joke = server.wait_until_final(3);
    assert_eq!((&joke["state"], &joke["payload"]["model"]), (&json!("completed"), &json!("any")));
    assert_eq!(location(&press(server.addr(), "semaphore", "form_token=a")), "/batches/2");
    assert_eq!(location(&press(server.addr(), "semaphore", "form_token=a")), "/batches/2");
    assert_eq!(server.queue("demo-five")["max_running"], 5);
    assert_eq!(location(&press(server.addr(), "questions", "")), "/batches/3");
    let batch = server.get("/v1/batches/3?wait=30s").expect(200);
    assert_eq!(batch["counts"]["completed"], 10, "{batch}");
}

#[test]
fn values_of_the_address_are_escaped() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("local")).start();
    let path = "/demo?provider=none&model=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27";
    let response = server.request("GET", path, &ACCEPT_HTML, b"");
    assert_eq!(response.status, 200);
    let page = text(&response);
    assert!(!page.contains("<script>alert") && !page.contains("\">\"<"), "{page}");
    // The model is part of a JSON text that is quoted for the shell and escaped for HTML.
    assert!(page.contains("alert(1)&#60;/script&#62;&#39;\\&#39;&#39;"), "{page}");
}

fn get(demo: &Demo, path: &str) -> Response {
    Connection::open(demo.addr).unwrap().request("GET", path, &ACCEPT_HTML, b"").unwrap()
}

/// Presses a button and returns the jobs of its batch, once they are finished.
fn jobs(demo: &Demo, button: &str) -> Vec<Value> {
    let batch = location(&press(demo.addr, button, ""));
    let finished = get(demo, &format!("/v1{batch}?wait=60s")).expect(200);
    assert!(finished["finished_at"].is_string(), "{finished}");
    let id = &finished["id"];
    let jobs = get(demo, &format!("/v1/jobs?batch={id}&include=result")).expect(200);
    jobs["jobs"].as_array().unwrap().clone()
}

#[test]
fn the_demo_runs_the_same_work_in_every_lane() {
    let demo = Demo::start("1ms");
    let link = format!("open http://{}/demo\n", demo.addr);
    assert!(demo.output.contains(&link), "{}", demo.output);
    let page = text(&get(&demo, "/demo"));
    assert!(page.contains("/demo/async") && !page.contains("<code>longshore demo</code>"));
    let mut results = Vec::new();
    for lane in ["async", "thread", "process"] {
        for job in jobs(&demo, lane) {
            assert_eq!((&job["lane"], &job["state"]), (&json!(lane), &json!("completed")), "{job}");
            results.push(job["result"].clone());
        }
    }
    assert_eq!(results.len(), 12);
    assert!(results[0]["primes"].as_u64().unwrap() > 1_000);
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
}

#[test]
fn the_demo_has_more_than_one_joke() {
    let demo = Demo::start("1ms");
    let joke = || {
        let job = location(&press(demo.addr, "joke", ""));
        let job = get(&demo, &format!("/v1{job}?wait=60s")).expect(200);
        job["result"]["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert_ne!(joke(), joke());
}
