//! An HTTP proxy through which all calls go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_refused_at_once, call};
use crate::kit::http::Target;
use crate::kit::model::Model;
use crate::kit::{Server, Setup, with};

/// Value of the header that the proxy expects.
const CREDENTIALS: &str = "Basic dXNlcjpwYXNzd29yZA==";

/// A proxy that answers `CONNECT` with a status, and then is the server at the end of each tunnel.
struct Proxy {
    target: Target,
    /// Lines and credentials of the requests.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(status: &'static str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let target = Target::start(move |caller, request| {
            let credentials = request.header("proxy-authorization").unwrap_or("none");
            let line = format!("{} ({credentials})", request.line());
            requests.lock().unwrap().push(line);
            if request.method == "CONNECT" {
                caller.send(format!("HTTP/1.1 {status}\r\n\r\n"));
                if !status.starts_with('2') {
                    caller.disconnect();
                }
            } else {
                caller.answer("200 OK", "", "through the tunnel");
            }
        });
        Self { target, seen }
    }

    fn setup(&self) -> Setup {
        let config = format!(
            "[outbound]\nproxy = 'http://{}'\nproxy_authorization_env = 'PROXY_CREDENTIALS'",
            self.target.addr()
        );
        Setup::new().config(config).env("PROXY_CREDENTIALS", CREDENTIALS).without_loopback()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn message(job: &Value) -> &str {
    job["error"]["message"].as_str().unwrap_or_else(|| panic!("{job}"))
}

#[test]
fn a_call_goes_through_a_tunnel_of_the_proxy_which_resolves_the_name() {
    let proxy = Proxy::start("200 Connection established");
    let server = proxy.setup().start();
    let job = server.run(&call("http://shop.invalid/orders?id=7"));
    assert_eq!(
        (&job["state"], &job["result"]["body"]),
        (&json!("completed"), &json!("through the tunnel")),
        "{job}"
    );
    let expected = [
        format!("CONNECT shop.invalid:80 HTTP/1.1 ({CREDENTIALS})"),
        "GET /orders?id=7 HTTP/1.1 (none)".into(),
    ];
    assert_eq!(proxy.seen(), expected);
}

#[test]
fn an_https_call_is_tunnelled_too() {
    let proxy = Proxy::start("200 OK");
    let server = proxy.setup().start();
    // The other end of the tunnel does not speak TLS.
    let job = server.run(&call("https://shop.invalid/"));
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("connection")));
    assert_eq!(proxy.seen()[0], format!("CONNECT shop.invalid:443 HTTP/1.1 ({CREDENTIALS})"));
}

#[test]
fn addresses_denied_hosts_and_the_own_listener_are_refused_before_the_proxy() {
    let proxy = Proxy::start("200 OK");
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "[outbound]\nproxy = 'http://{}'\ndeny_hosts = ['denied.example']\n\
         allow_networks = ['127.0.0.1']",
        proxy.target.addr()
    );
    let server = Setup::new().config(config).without_loopback().listen(own).start();
    for host in ["10.0.0.1", "169.254.169.254", "[::1]", "denied.example"] {
        assert_refused_at_once(&server, &format!("http://{host}/"));
    }
    drop(server);
    let config = format!("[outbound]\nproxy = 'http://{}'", proxy.target.addr());
    let server = Setup::new().config(config).without_loopback().listen(own).start();
    for host in ["127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "168.63.129.16"] {
        assert_refused_at_once(&server, &format!("http://{host}/"));
    }
    assert_refused_at_once(&server, &format!("http://{own}/"));
    assert_eq!(proxy.seen(), [""; 0]);
}

#[test]
fn a_refusal_of_the_proxy_is_named_and_wrong_credentials_are_not_tried_again() {
    for (status, state, expected) in [
        (
            "502 Bad Gateway",
            "retrying",
            "cannot connect to shop.invalid: the proxy answered 502 Bad Gateway",
        ),
        ("407 Proxy Authentication Required", "failed", "see outbound.proxy_authorization_env"),
    ] {
        let proxy = Proxy::start(status);
        let server = proxy.setup().start();
        let job = with(super::http("http://shop.invalid/"), &json!({"backoff": {"initial": "1h"}}));
        let id = server.submit(&job);
        let job = server.wait_for_state(id, state);
        let error = &job["failures"][0];
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(expected), "{job}");
        assert_eq!(error["code"], "connection", "{job}");
        assert!(!server.log().contains("dXNlcjpwYXNzd29yZA"), "{}", server.log());
    }
}

#[test]
fn a_proxy_that_does_not_speak_http_is_an_error_of_the_connection() {
    let target = Target::start(|caller, _| {
        caller.send("SSH-2.0-OpenSSH_9.9\r\n");
        caller.disconnect();
    });
    let server = start_with(&target);
    let job = server.run(&call("http://shop.invalid/"));
    assert!(message(&job).contains("the proxy did not answer in valid HTTP"), "{job}");
    let target = Target::start(|caller, _| caller.disconnect());
    let server = start_with(&target);
    let job = server.run(&call("http://shop.invalid/"));
    assert!(message(&job).contains("the proxy closed the connection before it answered"), "{job}");
}

fn start_with(target: &Target) -> Server {
    let config = format!("outbound.proxy = 'http://{}'", target.addr());
    Setup::new().config(config).without_loopback().start()
}

#[test]
fn variables_of_the_environment_name_no_proxy() {
    let proxy = Proxy::start("200 OK");
    let url = format!("http://{}", proxy.target.addr());
    let model = Model::start(Duration::ZERO);
    let mut setup = Setup::new().config(model.provider("one")).without_loopback();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        setup = setup.env(name, &url);
    }
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
    let job = setup.start().run(&json!({"kind": "chat", "payload": question}));
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(proxy.seen(), [""; 0]);
}
