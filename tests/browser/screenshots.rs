//! Takes the screenshots in `docs/screenshots`: `cargo test --test browser -- --ignored screenshots`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use longshore::job::Timestamp;
use serde_json::{Value, json};

use crate::chromium::driver::find_program;
use crate::chromium::page::Page;
use crate::kit::demo::Demo;
use crate::kit::http::Target;
use crate::kit::{Server, eventually};
use crate::metrics;
use crate::sample_server::SampleServer;

/// Maximum size of a screenshot, in bytes.
const MAX_BYTES: u64 = 150_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots")
}

/// Takes a screenshot of the open page in light mode and one in dark mode.
fn take(page: &Page, name: &str) {
    page.emulate_size(1280, 900);
    for scheme in ["light", "dark"] {
        page.set_color_scheme(scheme);
        // No element keeps the focus.
        page.run("document.activeElement?.blur(); scrollTo(0, 0)", &json!([]));
        let path = folder().join(format!("{name}-{scheme}.png"));
        std::fs::write(&path, page.screenshot()).unwrap();
        shrink(&path);
        let bytes = std::fs::metadata(&path).unwrap().len();
        eprintln!("{} has {bytes} bytes", path.display());
        assert!(bytes < MAX_BYTES, "install pngquant: {} has {bytes} bytes", path.display());
    }
    page.set_color_scheme("light");
}

/// Makes a screenshot smaller with pngquant and optipng, if they are installed.
fn shrink(path: &Path) {
    if find_program("pngquant").is_some() {
        let mut pngquant = Command::new("pngquant");
        pngquant.args(["--force", "--skip-if-larger", "--strip", "--quality", "80-98", "--output"]);
        // It fails if it cannot make the file smaller.
        let _ = pngquant.arg(path).arg(path).status().unwrap();
    }
    if find_program("optipng").is_some() {
        assert!(
            Command::new("optipng").args(["-quiet", "-o3"]).arg(path).status().unwrap().success()
        );
    }
}

/// Returns a server that looks as if it had been in use for an hour.
fn after_an_hour() -> SampleServer {
    let mut samples = SampleServer::start();
    let server = &samples.server;
    let order = |queue: &str| json!({"kind": "echo", "queue": queue, "payload": {"order": 4711}});
    for (day, queue) in (1..).zip(["mail", "mail", "model", "images"].repeat(4)) {
        let jobs: Vec<Value> = (0..1_000).map(|_| order(queue)).collect();
        let batch = json!({"name": format!("Orders of day {day}"), "jobs": jobs});
        let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
        server.get(&format!("/v1/batches/{batch}?wait=30s")).expect(200);
    }
    server.patch("/v1/queues/exports", &json!({"paused": false})).expect(200);
    samples.set_limits();
    server.terminate();
    samples.server.wait_for_exit();
    // The counters show all jobs in a few seconds. They are replaced by sample metrics of an hour.
    let database = rusqlite::Connection::open(samples.server.database()).unwrap();
    database.execute_batch("DELETE FROM time_buckets").unwrap();
    drop(database);
    metrics::write(samples.server.database(), now());
    samples.server.restart();
    samples
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

/// Submits jobs of all kinds one by one until `is_over` is set.
fn feed(samples: &SampleServer, is_over: &AtomicBool) {
    let jobs = samples.jobs();
    // Coprime to the number of jobs: each job is submitted in turn, and neighbours differ.
    let step = 61;
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        samples.server.submit(&jobs[number * step % jobs.len()]);
        std::thread::sleep(Duration::from_millis(115));
    }
}

#[test]
#[ignore = "it writes the screenshots of the documentation"]
fn screenshots_of_each_page() {
    let samples = after_an_hour();
    let Some(page) = Page::open(&samples.server, "/") else { return };
    std::fs::create_dir_all(folder()).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| feed(&samples, &is_over));
        // Stops the other thread, also after a panic.
        let _stop = Stop(&is_over);
        // Two complete time buckets of the charts.
        std::thread::sleep(Duration::from_secs(21));
        take_all(&samples, &page);
    });
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn take_all(samples: &SampleServer, page: &Page) {
    page.goto("/");
    take(page, "overview");
    page.goto("/jobs");
    take(page, "jobs");
    page.goto(&format!("/jobs/{}", samples.submit_failing_job()));
    take(page, "job");
    let batch = samples.submit_batch();
    std::thread::sleep(Duration::from_secs(5));
    page.goto(&format!("/batches/{batch}"));
    take(page, "batch");
    page.goto("/batches");
    take(page, "batches");
    page.goto("/queues/mail");
    take(page, "queue");
    page.goto("/submit?kind=http");
    for (field, text) in [
        ("url", "https://api.shop.example/v1/invoices"),
        ("method", "POST"),
        ("headers", "Accept: application/json"),
        ("body", "{\n  \"order\": 4711,\n  \"lines\": [{\"sku\": \"A-1\", \"count\": 3}]\n}"),
        ("queue", "invoices"),
        ("max_attempts", "8"),
        ("tags", "invoice\ncustomer-4711"),
    ] {
        let script = "document.getElementById(arguments[0]).value = arguments[1]";
        page.run(script, &json!([field, text]));
    }
    take(page, "submit");
}

#[test]
#[ignore = "it writes the screenshots of the documentation"]
fn screenshots_of_the_keys() {
    let server = Server::start();
    let key = |name: &str, scopes: &[&str], queues: &[&str], by: Option<&str>| {
        let request =
            json!({"name": name, "scopes": scopes, "queues": queues, "expires_in": "90d"});
        let bearer = format!("Bearer {}", by.unwrap_or_default());
        let headers = [("authorization", &*bearer)];
        let headers = if by.is_some() { &headers[..] } else { &[] };
        let created = server.post_with("/v1/keys", headers, &request).expect(201);
        created["secret"].as_str().unwrap().to_owned()
    };
    let ops = key("ops", &["admin"], &[], None);
    let by = Some(&*ops);
    let shop = key("web shop", &["submit"], &["mail", "shop.*"], by);
    key("dashboard", &["read"], &[], by);
    key("image worker", &["work"], &["images"], by);
    let bearer = format!("Bearer {shop}");
    server.request("GET", "/v1/jobs/1", &[("authorization", &bearer)], b"");
    let Some(page) = Page::open(&server, "/keys") else { return };
    std::fs::create_dir_all(folder()).unwrap();
    take(&page, "login");
    page.fill("#key", &ops);
    page.press("Sign in");
    page.wait_for_path("/keys");
    page.fill("#name", "newsletter");
    page.fill("#queues", "mail");
    page.click("input[value=submit]");
    page.press("Create key");
    page.wait_for_text("Copy it now.");
    take(&page, "keys");
}

#[test]
#[ignore = "it writes the screenshots of the documentation"]
fn screenshots_of_the_demo() {
    let demo = Demo::start("1s");
    let Some(page) = Page::open_at(&demo.url(), "/demo") else { return };
    std::fs::create_dir_all(folder()).unwrap();
    page.press("Get a joke");
    page.wait_for("the joke is shown", "document.querySelector('.joke')");
    page.press("Start task");
    page.wait_for(
        "the jobs are half-way",
        "document.querySelector('.panel-output progress')?.value > 45",
    );
    take(&page, "demo");
}

#[test]
#[ignore = "it writes the screenshots of the documentation"]
fn screenshots_of_the_deliveries() {
    let calls = AtomicUsize::new(0);
    let target = Target::start(move |reply, _| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => reply.answer("503 Service Unavailable", "", "maintenance until noon"),
        1 => reply.answer("410 Gone", "", "this shop has moved"),
        _ => reply.answer("204 No Content", "", ""),
    });
    let server = Server::start();
    let url = target.url("/hooks").replace("127.0.0.1", "localhost");
    let then = json!({"kind": "echo", "queue": "invoices", "payload": {"$from": "job"}});
    let job = json!({"kind": "echo", "queue": "orders", "payload": {"order": 4711},
        "callback": {"url": url, "include_result": true}, "then": then});
    let id = server.submit(&job);
    let path = format!("/v1/jobs/{id}");
    for state in ["retrying", "failed", "completed"] {
        eventually("the latest delivery is in its state", || {
            let list = server.get(&format!("{path}/deliveries")).expect(200);
            let latest = list["deliveries"].as_array().unwrap().last().cloned();
            latest.filter(|latest| latest["state"] == state)
        });
        if state != "completed" {
            server.post_empty(&format!("{path}/retry")).expect(200);
        }
    }
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    take(&page, "deliveries");
}
