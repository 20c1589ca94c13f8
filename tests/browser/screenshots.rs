//! The pictures in `docs/screenshots`: `cargo test --test browser -- --ignored screenshots`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore::job::Timestamp;
use serde_json::{Value, json};

use crate::driver::find_program;
use crate::hour;
use crate::kit::demo::Demo;
use crate::page::Page;
use crate::scenery::Scenery;

/// The most that a picture may take, in bytes.
const MAX_BYTES: u64 = 150_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots")
}

/// Takes a page as it is, once light and once dark.
fn take(page: &Page, name: &str) {
    page.frame(1280, 900);
    for scheme in ["light", "dark"] {
        page.prefer(scheme);
        // The mouse rests nowhere.
        page.run("document.activeElement?.blur(); scrollTo(0, 0)", &json!([]));
        let path = folder().join(format!("{name}-{scheme}.png"));
        std::fs::write(&path, page.picture()).unwrap();
        shrink(&path);
        let bytes = std::fs::metadata(&path).unwrap().len();
        eprintln!("{} has {bytes} bytes", path.display());
        assert!(bytes < MAX_BYTES, "install pngquant: {} has {bytes} bytes", path.display());
    }
    page.prefer("light");
}

/// Makes a picture smaller where there is a program for that.
fn shrink(path: &Path) {
    if find_program("pngquant").is_some() {
        let mut pngquant = Command::new("pngquant");
        pngquant.args(["--force", "--skip-if-larger", "--strip", "--quality", "80-98", "--output"]);
        // It fails where it could make nothing smaller of it.
        let _ = pngquant.arg(path).arg(path).status().unwrap();
    }
    if find_program("optipng").is_some() {
        assert!(
            Command::new("optipng").args(["-quiet", "-o3"]).arg(path).status().unwrap().success()
        );
    }
}

/// A server that has been in use for an hour.
fn after_an_hour() -> Scenery {
    let mut scenery = Scenery::start();
    let server = &scenery.server;
    let done = |queue: &str| json!({"kind": "echo", "queue": queue, "payload": {"order": 4711}});
    for (day, queue) in (1..).zip(["mail", "mail", "model", "images"].repeat(4)) {
        let jobs: Vec<Value> = (0..1_000).map(|_| done(queue)).collect();
        let batch = json!({"name": format!("Orders of day {day}"), "jobs": jobs});
        let batch = server.post("/v1/batches", &batch).expect(202)["id"].clone();
        server.get(&format!("/v1/batches/{batch}?wait=30s")).expect(200);
    }
    server.patch("/v1/queues/exports", &json!({"paused": false})).expect(200);
    scenery.limit();
    server.terminate();
    scenery.server.ended();
    // They did not come in a second.
    let database = rusqlite::Connection::open(scenery.server.database()).unwrap();
    database.execute_batch("DELETE FROM time_buckets").unwrap();
    drop(database);
    hour::write(scenery.server.database(), now());
    scenery.server.start_again();
    scenery
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

/// Submits jobs of all sorts one by one until it is told to stop, as an application does.
fn feed(scenery: &Scenery, is_over: &AtomicBool) {
    let jobs = scenery.jobs();
    // No factor in common with their number: each has its turn, and neighbours differ.
    let step = 61;
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        scenery.server.submit(&jobs[number * step % jobs.len()]);
        std::thread::sleep(Duration::from_millis(115));
    }
}

#[test]
#[ignore = "it writes the pictures of the documentation"]
fn screenshots_of_each_page() {
    let scenery = after_an_hour();
    let Some(page) = Page::open(&scenery.server, "/") else { return };
    std::fs::create_dir_all(folder()).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| feed(&scenery, &is_over));
        // Stops the other thread after a panic as well.
        let _stop = Stop(&is_over);
        // Two whole stretches of the charts.
        std::thread::sleep(Duration::from_secs(21));
        take_all(&scenery, &page);
    });
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn take_all(scenery: &Scenery, page: &Page) {
    page.goto("/");
    take(page, "overview");
    page.goto("/jobs");
    take(page, "jobs");
    page.goto(&format!("/jobs/{}", scenery.broken()));
    take(page, "job");
    let batch = scenery.batch();
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
#[ignore = "it writes the pictures of the documentation"]
fn screenshots_of_the_demo() {
    let demo = Demo::start("1s");
    let Some(page) = Page::of_origin(&demo.url(), "/demo") else { return };
    std::fs::create_dir_all(folder()).unwrap();
    page.press("Get a joke");
    page.wait_for("the joke is there", "document.querySelector('.joke')");
    page.press("Start task");
    page.wait_for("they are half way", "document.querySelector('.out progress')?.value > 45");
    take(&page, "demo");
}
