//! Settings that allow addresses which are not public, or deny hosts.

use std::time::Duration;

use serde_json::json;

use super::{assert_refused_at_once, assert_refused_when_it_runs, call};
use crate::kit::http::Target;
use crate::kit::model::Model;
use crate::kit::{Server, Setup};

fn target() -> Target {
    Target::start(|caller, _| caller.answer("200 OK", "", "done"))
}

fn start(config: &str) -> Server {
    Setup::new().config(config).without_loopback().start()
}

#[test]
fn an_allowed_network_is_called_by_address_and_by_name() {
    let target = target();
    let server = start("outbound.allow_networks = ['127.0.0.0/8']");
    for host in ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost"] {
        let job = server.run(&call(&format!("http://{host}:{}/", target.addr().port())));
        assert_eq!(job["state"], "completed", "{host}: {job}");
    }
    assert_refused_at_once(&server, "http://10.0.0.1/");
    assert_refused_at_once(&server, "http://[::1]/");
    assert_refused_at_once(&server, "http://[64:ff9b::127.0.0.1]/");
}

#[test]
fn an_allowed_host_may_have_any_address() {
    let target = target();
    let port = target.addr().port();
    let server = start("outbound.allow_hosts = ['localhost']");
    let job = server.run(&call(&format!("http://localhost:{port}/")));
    assert_eq!(job["state"], "completed", "{job}");
    // The address itself is not allowed.
    assert_refused_at_once(&server, &format!("http://127.0.0.1:{port}/"));
}

#[test]
fn a_denied_host_is_refused_at_once_even_in_an_allowed_network() {
    let target = target();
    let port = target.addr().port();
    let config = "outbound.allow_networks = ['127.0.0.0/8']\n\
                  outbound.deny_hosts = ['localhost', '*.example.com', '127.0.0.2']";
    let server = start(config);
    for host in ["localhost", "LOCALHOST.", "a.b.example.com", "127.0.0.2", "127.2"] {
        assert_refused_at_once(&server, &format!("http://{host}:{port}/"));
    }
    let job = server.run(&call(&target.url("/")));
    assert_eq!(job["state"], "completed", "{job}");
}

#[test]
fn only_listed_hosts_are_called_if_all_are_denied() {
    let target = target();
    let server = start("outbound.allow_hosts = ['127.0.0.1']\noutbound.deny_hosts = ['*']");
    let job = server.run(&call(&target.url("/")));
    assert_eq!(job["state"], "completed", "{job}");
    for url in ["http://8.8.8.8/", "https://example.com/", "http://localhost/"] {
        assert_refused_at_once(&server, url);
    }
}

#[test]
fn a_provider_on_this_machine_is_called_only_by_jobs_that_name_it() {
    let model = Model::start(Duration::ZERO);
    let provider = model.provider("one").replace("127.0.0.1", "localhost");
    let base_url = provider.split('\'').nth(1).unwrap().to_owned();
    let server = start(&provider);
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
    for _ in 0..3 {
        let by_path = json!({"provider": "one", "path": "/chat/completions", "body": question});
        for job in [
            json!({"kind": "chat", "payload": question}),
            json!({"kind": "http", "payload": by_path}),
        ] {
            let job = server.run(&job);
            assert_eq!(job["state"], "completed", "{job}");
        }
        // The connection of the provider is open, and not used for this call.
        assert_refused_when_it_runs(&server.run(&call(&format!("{base_url}/models"))));
    }
    assert_eq!(model.stats().requests, 6);
}

#[test]
fn a_denied_provider_is_refused() {
    let model = Model::start(Duration::ZERO);
    let server = start(&format!("outbound.deny_hosts = ['127.0.0.1']\n{}", model.provider("one")));
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
    assert_refused_when_it_runs(&server.run(&json!({"kind": "chat", "payload": question})));
    let by_path = json!({"kind": "http", "payload": {"provider": "one", "path": "/models"}});
    let refused = server.post("/v1/jobs", &by_path);
    refused.problem(422);
    assert_eq!(crate::kit::pointers(&refused), ["/payload/provider"]);
}

#[test]
fn settings_of_outgoing_calls_are_checked_at_the_start() {
    for (config, expected) in [
        ("allow_networks = ['10.0.0.0/33']", "must be a network such as 10.0.0.0/8"),
        ("allow_hosts = ['http://a']", "must be a host name without scheme and port"),
        ("deny_hosts = ['a.*']", "must be a host name without scheme and port"),
        ("proxy = 'https://a'", "must be the URL of an HTTP proxy"),
        ("proxy = 'http://user:pw@a'", "use proxy_authorization_env"),
        ("proxy_authorization_env = 'PATH'", "has no effect without proxy"),
    ] {
        let output = Setup::new().config(format!("[outbound]\n{config}")).without_loopback().fail();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected) && !stderr.contains("pw@"), "{config}: {stderr}");
    }
}
