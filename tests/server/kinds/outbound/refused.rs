//! By default only public addresses are called.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Sink, assert_refused_at_once, assert_refused_when_it_runs, call};
use crate::kit::http::{Target, private_urls};
use crate::kit::{Setup, pointers, with};

#[test]
fn urls_of_private_addresses_are_refused_with_one_text_in_every_form() {
    let server = Setup::new().without_loopback().start();
    let sink = Sink::start();
    let urls = private_urls(sink.port);
    assert!(urls.len() >= 60);
    for url in &urls {
        assert_refused_at_once(&server, url);
    }
    assert_eq!(sink.count(), 0);
    assert!(server.log().contains("the address is not public: 10.0.0.0/8"), "{}", server.log());
}

#[test]
fn a_host_that_is_no_address_and_no_name_is_no_url() {
    let server = Setup::new().without_loopback().start();
    for host in ["[fe80::1%25eth0]", "[::1", "256.0.0.1", "127.0.0.1%00", "1.2.3.4.5"] {
        let response = server.post("/v1/jobs", &call(&format!("http://{host}/")));
        assert_eq!(
            (response.status, pointers(&response)),
            (422, vec!["/payload/url".into()]),
            "{host}"
        );
    }
    // These look like private addresses, and are not.
    for host in ["1.2.3", "0x08080808", "10.example.com", "127.0.0.1.example.com", "8.8.8.8"] {
        let job = with(call(&format!("http://{host}/")), &json!({"delay": "1h"}));
        server.post("/v1/jobs", &job).expect(202);
    }
}

#[test]
fn a_provider_whose_host_is_denied_is_named_at_the_start() {
    let config = "[outbound]\ndeny_hosts = ['*.models.example']\n\
        [providers.first]\nbase_url = 'http://a.models.example/v1'\n\
        [providers.second]\nbase_url = 'http://models.example/v1'";
    let server = Setup::new().config(config).start();
    let warnings = |provider: &str| {
        let text = format!("the provider {provider} cannot be called: outbound.deny_hosts covers");
        server.log().matches(&text).count()
    };
    assert_eq!((warnings("first"), warnings("second")), (1, 0), "{}", server.log());
}

#[test]
fn jobs_that_are_stored_already_are_refused_when_they_run() {
    let sink = Sink::start();
    let urls = private_urls(sink.port);
    let mut before = Setup::new().config("outbound.allow_hosts = ['*']").start();
    before.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let jobs: Vec<_> = urls.iter().map(|url| call(url)).collect();
    let answer = before.post("/v1/jobs", &json!(jobs)).expect(202);
    before.kill();
    let server = Setup::new().without_loopback().database(before.database()).start();
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    for job in answer["jobs"].as_array().unwrap() {
        assert_refused_when_it_runs(&server.wait_until_final(job["id"].as_i64().unwrap()));
    }
    assert_eq!(sink.count(), 0);
}

#[test]
fn a_name_of_a_private_address_is_refused_when_the_job_runs() {
    let server = Setup::new().without_loopback().start();
    let sink = Sink::start();
    for host in ["localhost", "LOCALHOST", "%6cocalhost"] {
        let job = server.run(&call(&format!("http://{host}:{}/secret?key=hidden", sink.port)));
        assert_refused_when_it_runs(&job);
    }
    assert_eq!(sink.count(), 0);
    let log = server.log();
    assert!(log.contains("refused an outgoing call") && log.contains("Loopback"), "{log}");
    assert!(!log.contains("hidden") && !log.contains("/secret"), "{log}");
}

#[test]
fn a_name_that_cannot_be_resolved_is_tried_again() {
    let server = Setup::new().without_loopback().start();
    let job = server.run(&call("http://nowhere.invalid/"));
    assert_eq!(job["error"]["code"], "connection", "{job}");
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("cannot resolve the address of nowhere.invalid"), "{message}");
}

#[test]
fn redirects_to_private_addresses_are_not_followed() {
    let sink = Sink::start();
    let urls = private_urls(sink.port);
    let (next, locations) = (AtomicUsize::new(0), urls.clone());
    let target = Target::start(move |caller, _| {
        let location = &locations[next.fetch_add(1, Ordering::SeqCst)];
        let location: String =
            location.chars().filter(char::is_ascii).filter(|c| *c != '\u{ad}').collect();
        caller.answer("302 Found", &format!("location: {location}\r\n"), "");
    });
    let server = Setup::new().start();
    for _ in &urls {
        let job = server.run(&call(&target.url("/")));
        assert_eq!(
            (&job["state"], &job["error"]["code"]),
            (&json!("failed"), &json!("http_status"))
        );
        let message = job["error"]["message"].as_str().unwrap();
        assert!(message.contains("redirects are not followed"), "{message}");
    }
    assert_eq!(sink.count(), 0);
    // The count can be something else.
    server.run(&call(&format!("http://127.0.0.1:{}/", sink.port)));
    assert_eq!(sink.count(), 1);
}
