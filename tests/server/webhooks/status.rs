//! The deliveries of webhooks and the follow-up jobs in the API, on the pages and in the command line.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::cli::{run, stdout};
use crate::keys::{call, create, first_key};
use crate::kit::http::Target;
use crate::kit::{Events, Server, Setup, echo, eventually, sleep, with};

/// A receiver of webhooks whose answer a test chooses.
struct Hook {
    url: String,
    status: Arc<AtomicU16>,
    /// The `webhook-id` of each request.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Hook {
    fn start(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, ids) = (Arc::clone(&status), Arc::clone(&seen));
        let target = Target::start(move |caller, request| {
            ids.lock().unwrap().push(request.header("webhook-id").unwrap().to_owned());
            caller.answer(&format!("{} x", answer.load(Ordering::SeqCst)), "", "no <b>thanks</b>");
        });
        Self { url: target.url("/hook?token=hidden"), status, seen }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn callback(&self) -> Value {
        json!({"callback": {"url": self.url}})
    }
}

fn deliveries(server: &Server, path: &str) -> Vec<Value> {
    let list = server.get(&format!("{path}/deliveries")).expect(200);
    list["deliveries"].as_array().unwrap().clone()
}

/// Waits until the only delivery has a state, and returns it.
fn delivery_in(server: &Server, path: &str, state: &str) -> Value {
    eventually("the delivery is in its state", || {
        deliveries(server, path).into_iter().find(|delivery| delivery["state"] == state)
    })
}

fn page(server: &Server, path: &str) -> String {
    String::from_utf8(server.get(path).body).unwrap()
}

#[test]
fn a_delivery_that_failed_is_shown_and_can_be_sent_again() {
    let (server, receiver) = (Server::start(), Hook::start(503));
    let id = server.submit(&with(echo(1), &receiver.callback()));
    let path = format!("/v1/jobs/{id}");
    let waiting = delivery_in(&server, &path, "retrying");
    assert_eq!(
        (&waiting["event"], &waiting["url"]),
        (&json!("job.completed"), &json!(receiver.url))
    );
    assert_eq!((&waiting["attempt"], &waiting["max_attempts"]), (&json!(1), &json!(10)));
    assert_eq!((&waiting["status"], &waiting["finished_at"]), (&json!(503), &Value::Null));
    assert!(waiting["next_attempt_at"].is_string() && waiting["error"]["code"] == "http_status");
    receiver.answer(204);
    let retry = format!("{path}/deliveries/{}/retry", waiting["id"]);
    assert_eq!(server.post_empty(&retry).expect(200)["id"], waiting["id"]);
    let delivered = delivery_in(&server, &path, "completed");
    assert_eq!((&delivered["status"], delivered.get("error")), (&json!(204), None));
    // Also what was accepted can be sent again, with the same id.
    server.post_empty(&retry).expect(200);
    eventually("it is sent again", || (receiver.seen().len() == 3).then_some(()));
    assert!(receiver.seen().iter().all(|id| *id == receiver.seen()[0]), "{:?}", receiver.seen());
}

#[test]
fn a_delivery_of_another_job_or_batch_is_not_found() {
    let (server, receiver) = (Server::start(), Hook::start(200));
    let first = server.submit(&with(echo(1), &receiver.callback()));
    let second = server.submit(&with(echo(2), &receiver.callback()));
    let of_first = delivery_in(&server, &format!("/v1/jobs/{first}"), "completed")["id"].clone();
    let retry = |owner: String, delivery: &Value| {
        server.post_empty(&format!("/v1/{owner}/deliveries/{delivery}/retry"))
    };
    let why = retry(format!("jobs/{second}"), &of_first).problem(404);
    assert_eq!(why, format!("job {second} has no delivery {of_first}"));
    let why = retry("batches/1".into(), &of_first).problem(404);
    assert_eq!(why, format!("batch 1 has no delivery {of_first}"));
    // A job that delivers nothing is no delivery of itself.
    assert_eq!(retry(format!("jobs/{first}"), &json!(first)).status, 404);
    assert_eq!(retry(format!("jobs/{first}"), &json!("x")).status, 404);
    assert_eq!(server.get("/v1/jobs/99/deliveries").status, 404);
    assert_eq!(server.get("/v1/batches/99/deliveries").status, 404);
    assert_eq!(server.get(&format!("/v1/jobs/{first}/deliveries?limit=1")).status, 400);
}

#[test]
fn a_batch_shows_its_callback_its_follow_up_job_and_its_delivery() {
    let (server, receiver) = (Server::start(), Hook::start(200));
    let then = json!({"then": {"kind": "echo", "queue": "later", "payload": {"$from": "batch"}}});
    let batch = with(with(json!({"jobs": [echo(1)]}), &receiver.callback()), &then);
    let key = [("idempotency-key", "one")];
    let submitted = server.post_with("/v1/batches", &key, &batch).expect(202);
    let again = server.post_with("/v1/batches", &key, &batch).expect(202);
    assert_eq!(again["callback"], submitted["callback"]);
    let expected = json!({"kind": "echo", "queue": "later"});
    assert_eq!(
        (&submitted["callback"]["url"], &submitted["then"]),
        (&json!(receiver.url), &expected)
    );
    delivery_in(&server, "/v1/batches/1", "completed");
    let shown = server.get("/v1/batches/1").expect(200);
    let follow_up = shown["then"]["job"].as_i64().unwrap();
    assert_eq!(shown["callback"]["url"], receiver.url);
    assert_eq!(server.wait_until_final(follow_up)["result"]["results"], json!([1]));
    let listed = &server.get("/v1/batches").expect(200)["batches"][0];
    assert_eq!((listed.get("callback"), listed.get("then")), (None, None));
    let text = page(&server, "/batches/1");
    assert!(text.contains("batch.finished"), "{text}");
    assert!(text.contains(&format!("<a href=\"/jobs/{follow_up}\">{follow_up}</a>: echo")));
}

#[test]
fn the_holder_of_a_token_sees_no_receiver() {
    let (server, receiver) = (Server::start(), Hook::start(410));
    let id = server.submit(&with(echo("private"), &receiver.callback()));
    let batch = with(json!({"jobs": [sleep("1ms")]}), &receiver.callback());
    server.post("/v1/batches", &batch).expect(202);
    delivery_in(&server, &format!("/v1/jobs/{id}"), "failed");
    delivery_in(&server, "/v1/batches/1", "failed");
    let ops = first_key(&server);
    for path in [format!("/v1/jobs/{id}"), "/v1/batches/1".into()] {
        let made = call(&server, &ops, "POST", &format!("{path}/token"), None).expect(201);
        let token = made["token"].as_str().unwrap();
        let read = |path: &str| server.get(&format!("{path}?token={token}")).expect(200);
        let list = read(&format!("{path}/deliveries"));
        let delivery = &list["deliveries"][0];
        assert_eq!((&delivery["state"], &delivery["status"]), (&json!("failed"), &json!(410)));
        assert_eq!((delivery.get("url"), delivery.get("error")), (None, None), "{delivery}");
        assert_eq!(read(&path).get("callback"), None);
        let events = format!("{path}/events?token={token}");
        let sent = Events::open(server.connect(), &events, &[]).read_to_end();
        assert!(!sent.is_empty());
        for event in sent {
            let text = event.data.to_string();
            assert!(!text.contains("hidden") && !text.contains("callback"), "{text}");
        }
        let retry = format!("{path}/deliveries/{}/retry?token={token}", delivery["id"]);
        assert_eq!(server.post_empty(&retry).status, 403);
    }
}

#[test]
fn a_key_without_the_queue_of_the_deliveries_sees_and_retries_those_of_its_jobs() {
    let (server, receiver) = (Server::start(), Hook::start(410));
    let id = server.submit(&with(with(echo(1), &json!({"queue": "mail"})), &receiver.callback()));
    let path = format!("/v1/jobs/{id}");
    let delivery = delivery_in(&server, &path, "failed");
    let ops = first_key(&server);
    let key = |name: &str, queue: &str| {
        create(&server, &ops, &json!({"name": name, "scopes": ["admin"], "queues": [queue]}))
    };
    let (mail, other) = (key("mail", "mail"), key("other", "callbacks"));
    assert_eq!(
        call(&server, &mail, "GET", &format!("/v1/jobs/{}", delivery["id"]), None).status,
        404
    );
    let list = call(&server, &mail, "GET", &format!("{path}/deliveries"), None).expect(200);
    assert_eq!(list["deliveries"], json!([delivery]));
    let retry = format!("{path}/deliveries/{}/retry", delivery["id"]);
    assert_eq!(call(&server, &other, "GET", &format!("{path}/deliveries"), None).status, 404);
    assert_eq!(call(&server, &other, "POST", &retry, None).status, 404);
    receiver.answer(200);
    call(&server, &mail, "POST", &retry, None).expect(200);
    eventually("it is sent again", || (receiver.seen().len() == 2).then_some(()));
}

#[test]
fn the_pages_of_a_job_and_of_its_delivery_lead_to_each_other() {
    let (server, receiver) = (Server::start(), Hook::start(410));
    let job = with(echo(1), &receiver.callback());
    let id = server.submit(&with(job, &json!({"then": echo("<script>")})));
    let path = format!("/v1/jobs/{id}");
    let delivery = delivery_in(&server, &path, "failed")["id"].clone();
    let text = page(&server, &format!("/jobs/{id}"));
    for expected in [
        "<h2 id=\"webhooks-title\">Webhooks</h2>".to_owned(),
        format!("<a href=\"/jobs/{delivery}\">{delivery}</a>"),
        "<td>job.completed</td>".into(),
        "<td>127.0.0.1:".into(),
        "no &#60;b&#62;thanks".into(),
        format!("action=\"/jobs/{id}/deliveries/{delivery}/retry\""),
        "<h2 id=\"then-title\">Then</h2>".into(),
    ] {
        assert!(text.contains(&expected), "{expected} is missing in {text}");
    }
    assert!(!text.contains("token=hidden"), "the URL may be secret: {text}");
    let text = page(&server, &format!("/jobs/{delivery}"));
    assert!(text.contains(&format!("<a href=\"/jobs/{id}\">job {id}</a>")), "{text}");
    receiver.answer(200);
    let form = [("origin", &*server.url()), ("content-type", "application/x-www-form-urlencoded")];
    let action = format!("/jobs/{id}/deliveries/{delivery}/retry");
    assert_eq!(server.request("POST", &action, &form[1..], b"").status, 403);
    let sent = server.request("POST", &action, &form, b"");
    assert_eq!((sent.status, sent.header("location")), (303, Some(&*format!("/jobs/{id}"))));
    delivery_in(&server, &path, "completed");
}

#[test]
fn a_key_that_only_reads_finds_no_button_and_no_link_to_what_it_may_not_open() {
    let (server, receiver) = (Server::start(), Hook::start(410));
    let id = server.submit(&with(with(echo(1), &json!({"queue": "mail"})), &receiver.callback()));
    delivery_in(&server, &format!("/v1/jobs/{id}"), "failed");
    let ops = first_key(&server);
    let fields = json!({"name": "mail", "scopes": ["read"], "queues": ["mail"]});
    let text = call(&server, &create(&server, &ops, &fields), "GET", &format!("/jobs/{id}"), None);
    let text = String::from_utf8(text.body).unwrap();
    let (_, section) = text.split_once("id=\"webhooks\"").unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    assert!(section.contains("job.completed"), "{section}");
    assert!(!section.contains("<form") && !section.contains("href=\"/jobs/"), "{section}");
}

#[test]
fn the_command_line_submits_shows_and_repeats_webhooks() {
    let (server, receiver) = (Server::start(), Hook::start(410));
    let then = r#"{"kind": "echo", "queue": "later", "payload": {"$from": "job"}}"#;
    let callback = ["--callback", &receiver.url, "--callback-event", "job.completed"];
    let more = ["--callback-result", "--then", then];
    let arguments = [&["submit", "echo", "7"][..], &callback, &more].concat();
    assert_eq!(run(&server, &arguments).status.code(), Some(0));
    let delivery = delivery_in(&server, "/v1/jobs/1", "failed")["id"].clone();
    let payload = server.job(delivery.as_i64().unwrap())["payload"].clone();
    assert_eq!(payload["body"]["data"]["result"], 7);
    let status = stdout(&run(&server, &["status", "1"]));
    let line = format!("delivery  {delivery} job.completed, failed, attempt 1 of 10, status 410\n");
    assert!(status.contains(&line), "{status}");
    assert!(
        status.contains(&format!("callback  {}, for job.completed\n", receiver.url)),
        "{status}"
    );
    let follow_up = server.job(1)["then"]["job"].clone();
    assert!(
        status.contains(&format!("then      job {follow_up}, echo in queue later\n")),
        "{status}"
    );
    let table = stdout(&run(&server, &["deliveries", "1"]));
    assert!(table.starts_with("ID ") && table.lines().count() == 2, "{table}");
    assert!(table.contains("job.completed") && table.contains("1 of 10"), "{table}");
    receiver.answer(200);
    // The delivery does not start before it is shown.
    assert_eq!(run(&server, &["pause", "callbacks"]).status.code(), Some(0));
    let retried = run(&server, &["deliveries", "1", "--retry", &delivery.to_string()]);
    assert_eq!(stdout(&retried), format!("{delivery}\tqueued\n"));
    assert_eq!(run(&server, &["resume", "callbacks"]).status.code(), Some(0));
    delivery_in(&server, "/v1/jobs/1", "completed");
    let list: Value =
        serde_json::from_str(&stdout(&run(&server, &["deliveries", "1", "--json"]))).unwrap();
    assert_eq!(list["deliveries"][0]["status"], 200);
    assert_eq!(run(&server, &["deliveries", "--batch", "9"]).status.code(), Some(4));
    assert_eq!(run(&server, &["deliveries"]).status.code(), Some(2));
}

#[test]
fn the_command_line_submits_a_batch_with_a_webhook() {
    let receiver = Hook::start(200);
    let setup = Setup::new();
    let file = setup.directory().join("jobs.ndjson");
    std::fs::write(&file, "{\"kind\": \"echo\", \"payload\": 1}\n").unwrap();
    let server = setup.start();
    let file = file.to_str().unwrap();
    let output = run(&server, &["batch", file, "--callback", &receiver.url]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    delivery_in(&server, "/v1/batches/1", "completed");
    let table = stdout(&run(&server, &["deliveries", "--batch", "1"]));
    assert!(table.contains("batch.finished"), "{table}");
}
