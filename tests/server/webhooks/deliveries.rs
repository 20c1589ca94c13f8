//! Deliveries of webhooks to real receivers.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use longshore::config::receiver_group;
use serde_json::{Value, json};

use super::receiver::{Receiver, body};
use crate::kit::http::Request;
use crate::kit::{Server, Setup, echo, eventually, pointers, sleep, with};

/// Returns the webhooks' jobs, oldest first.
fn deliveries(server: &Server) -> Vec<Value> {
    let all = server.all_jobs().into_values();
    all.filter(|job| job["queue"] == "callbacks").collect()
}

fn failing() -> Value {
    json!({"kind": "sleep", "payload": {"duration": "1h"}, "timeout": "10ms", "max_attempts": 1})
}

#[test]
fn the_end_of_a_job_is_posted_with_its_event_time_and_data() {
    let server = Server::start();
    let receiver = Receiver::accepting();
    let fields = json!({"include_result": true});
    let id = server.submit(&receiver.with_callback(echo(json!({"n": 1})), &fields));
    let request = receiver.next();
    assert_eq!(request.line(), "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    let sent = body(&request);
    assert_eq!(sent["type"], "job.completed");
    let data = &sent["data"];
    assert_eq!(
        (&data["id"], &data["state"], &data["kind"]),
        (&json!(id), &json!("completed"), &json!("echo"))
    );
    assert_eq!(data["result"], json!({"n": 1}));
    assert_eq!(sent["timestamp"], data["finished_at"]);
    let delivery = eventually("the webhook is delivered", || {
        deliveries(&server).pop().filter(|job| job["state"] == "completed")
    });
    assert_eq!(delivery["kind"], "callback");
    assert_eq!(server.job(id)["callback"]["url"], receiver.url());
    assert_eq!(receiver.others().len(), 0);
}

#[test]
fn failed_cancelled_and_batch_ends_have_their_own_events() {
    let server = Server::start();
    let receiver = Receiver::accepting();
    server.submit(&receiver.with_callback(failing(), &json!({})));
    let failed = body(&receiver.next());
    assert_eq!(
        (&failed["type"], &failed["data"]["error"]["code"]),
        (&json!("job.failed"), &json!("timeout"))
    );
    let id =
        server.submit(&receiver.with_callback(with(echo(1), &json!({"delay": "1h"})), &json!({})));
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!(body(&receiver.next())["type"], "job.cancelled");
    let batch =
        json!({"name": "nightly", "jobs": [echo(1), echo(2)], "callback": {"url": receiver.url()}});
    server.post("/v1/batches", &batch).expect(202);
    let sent = body(&receiver.next());
    assert_eq!(
        (&sent["type"], &sent["data"]["name"]),
        (&json!("batch.finished"), &json!("nightly"))
    );
    assert_eq!(sent["data"]["counts"]["completed"], 2);
}

#[test]
fn a_webhook_that_is_refused_is_sent_again_with_the_same_id_over_a_kill() {
    let mut server = Server::start();
    let receiver = Receiver::start(|number, _| match number {
        1 => ("500 Internal Server Error", ""),
        _ => ("200 OK", ""),
    });
    server.submit(&receiver.with_callback(echo(1), &json!({})));
    let first = receiver.next();
    let started = Instant::now();
    let waiting = eventually("the webhook waits for its next attempt", || {
        deliveries(&server).pop().filter(|job| job["state"] == "retrying")
    });
    assert_eq!(waiting["error"]["code"], "http_status");
    server.kill();
    server.restart();
    let second = receiver.next();
    assert!(started.elapsed() >= Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_eq!(first.body, second.body);
    eventually("the webhook is delivered", || {
        deliveries(&server).pop().filter(|job| job["state"] == "completed")
    });
}

#[test]
fn a_receiver_that_is_gone_ends_the_webhook_and_retry_after_lengthens_its_pause() {
    let server = Server::start();
    let gone = Receiver::start(|_, _| ("410 Gone", ""));
    server.submit(&gone.with_callback(echo(1), &json!({})));
    let failed = eventually("the webhook has failed", || {
        deliveries(&server).pop().filter(|job| job["state"] == "failed")
    });
    assert_eq!(failed["attempt"], 1);
    let busy = Receiver::start(|_, _| ("503 Service Unavailable", "retry-after: 100\r\n"));
    server.submit(&busy.with_callback(echo(1), &json!({})));
    busy.next();
    let waiting = eventually("the webhook waits", || {
        deliveries(&server).pop().filter(|job| job["state"] == "retrying")
    });
    let pause = crate::kit::between(&waiting["started_at"], &waiting["run_at"]).as_secs();
    assert!((100..120).contains(&pause), "{waiting}");
}

#[test]
fn a_slow_receiver_does_not_hold_up_another() {
    let server = Setup::new().config("[lanes]\nasync = 64").start();
    let slow = Receiver::start(|_, _| {
        std::thread::sleep(Duration::from_secs(20));
        ("200 OK", "")
    });
    let quick = Receiver::accepting();
    // Another host than 127.0.0.1, in another group.
    let url = slow.url().replace("127.0.0.1", "localhost");
    let job = with(echo(1), &json!({"callback": {"url": url}}));
    server.post("/v1/jobs", &json!(vec![job; 40])).expect(202);
    let quick_job = quick.with_callback(echo(1), &json!({}));
    server.post("/v1/jobs", &json!(vec![quick_job; 40])).expect(202);
    let started = Instant::now();
    for _ in 0..40 {
        quick.next();
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // At most 64 / 32 calls of a group at once, and half of them to one host.
    slow.next();
    assert_eq!(slow.others().len(), 0);
}

#[test]
fn a_bad_callback_is_refused_with_its_pointer() {
    let server = Server::start();
    for (callback, pointer) in [
        (json!({"url": "ftp://a"}), "/callback/url"),
        (json!({"url": "http://169.254.169.254/"}), "/callback/url"),
        (json!({"url": "https://a/", "events": ["batch.finished"]}), "/callback/events/0"),
        (json!({"url": "https://a/", "secret": "unknown"}), "/callback/secret"),
        (json!({"url": "https://a/", "event": []}), "/callback/event"),
        (json!({}), "/callback"),
    ] {
        let answer = server.post("/v1/jobs", &with(echo(1), &json!({"callback": callback})));
        assert_eq!(answer.status, 422, "{callback} {}", answer.json());
        assert_eq!(pointers(&answer), [pointer], "{callback}");
    }
    for lane in [json!(null), json!("async"), json!("remote")] {
        let job = json!({"kind": "callback", "payload": {}, "lane": lane});
        let answer = server.post("/v1/jobs", &job);
        assert_eq!((answer.status, pointers(&answer)), (422, vec!["/kind".to_owned()]), "{lane}");
    }
    let batch =
        json!({"jobs": [echo(1)], "callback": {"url": "https://a/", "events": ["job.failed"]}});
    let answer = server.post("/v1/batches", &batch);
    assert_eq!((answer.status, pointers(&answer)), (422, vec!["/callback/events/0".to_owned()]));
    assert_eq!(server.all_jobs().len(), 0);
}

#[test]
fn jobs_of_clients_do_not_get_into_the_queue_of_the_deliveries() {
    let server = Server::start();
    let job = with(echo(1), &json!({"queue": "callbacks", "priority": 100}));
    let remote = with(job.clone(), &json!({"kind": "mine", "lane": "remote"}));
    let open = server.post("/v1/batches", &json!({"jobs": [], "open": true})).expect(202);
    let add = format!("/v1/batches/{}/jobs", open["id"]);
    for (path, body, pointer) in [
        ("/v1/jobs", job.clone(), "/queue"),
        ("/v1/jobs", remote, "/queue"),
        ("/v1/jobs", json!([echo(1), job]), "/1/queue"),
        ("/v1/batches", json!({"jobs": [job]}), "/jobs/0/queue"),
        ("/v1/batches", json!({"jobs": [echo(1)], "then": job}), "/then/queue"),
        (&add, json!({"jobs": [job]}), "/jobs/0/queue"),
    ] {
        let answer = server.post(path, &body);
        assert_eq!((answer.status, pointers(&answer)), (422, vec![pointer.to_owned()]), "{path}");
    }
    let id = server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let answer = server.patch(&format!("/v1/jobs/{id}"), &json!({"queue": "callbacks"}));
    assert_eq!((answer.status, pointers(&answer)), (422, vec!["/queue".to_owned()]));
    assert_eq!(server.all_jobs().len(), 1);
}

#[test]
fn a_receiver_that_hangs_does_not_hold_up_another_one_of_its_group() {
    // Two deliveries of a group at once, and one to a host.
    let server = Setup::new().config("[lanes]\nasync = 8").start();
    let quick = Receiver::accepting();
    let group = receiver_group(&quick.url());
    let mut hosts = (2..250).map(|number| format!("127.0.0.{number}"));
    let same = |host: &String| receiver_group(&format!("http://{host}/")) == group;
    let host = hosts.find(same).unwrap();
    // It accepts connections and never answers.
    let hanging = TcpListener::bind((&*host, 0)).unwrap();
    let url = format!("http://{}/", hanging.local_addr().unwrap());
    let job = with(echo(1), &json!({"callback": {"url": url}}));
    server.post("/v1/jobs", &json!(vec![job; 40])).expect(202);
    let _call = hanging.accept().unwrap();
    let quick_job = quick.with_callback(echo(1), &json!({}));
    server.post("/v1/jobs", &json!(vec![quick_job; 40])).expect(202);
    let started = Instant::now();
    for _ in 0..40 {
        quick.next();
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    hanging.set_nonblocking(true).unwrap();
    assert!(hanging.accept().is_err(), "one call at a time");
    let deferred = deliveries(&server).into_iter().find(|job| job["state"] == "retrying").unwrap();
    assert_eq!(
        (&deferred["error"]["code"], &deferred["attempt"]),
        (&json!("receiver_busy"), &json!(0))
    );
}

#[test]
fn queues_and_kinds_have_default_webhooks_and_a_job_may_have_its_own_or_none() {
    let receivers = [Receiver::accepting(), Receiver::accepting(), Receiver::accepting()];
    let [of_queue, of_kind, own] = &receivers;
    let config = format!(
        "[callbacks.queues.mail]\nurl = '{}'\n[callbacks.kinds.sleep]\nurl = '{}'",
        of_queue.url(),
        of_kind.url()
    );
    let server = Setup::new().config(config).start();
    let id = |request: &Request| body(request)["data"]["id"].as_i64().unwrap();
    let in_mail = |job| with(job, &json!({"queue": "mail"}));
    let first = server.submit(&in_mail(sleep("1ms")));
    assert_eq!(id(&of_queue.next()), first);
    let second = server.submit(&sleep("1ms"));
    assert_eq!(id(&of_kind.next()), second);
    let third = server.submit(&own.with_callback(in_mail(echo(1)), &json!({})));
    assert_eq!(id(&own.next()), third);
    let none = own.with_callback(in_mail(echo(1)), &json!({"events": []}));
    server.wait_until_final(server.submit(&none));
    server.wait_until_final(server.submit(&echo(1)));
    assert_eq!(deliveries(&server).len(), 3);
}
