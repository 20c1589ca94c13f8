//! Which servers a job may call.

mod allowed;
mod own_listener;
mod proxy;
mod refused;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::http;
use crate::kit::{Server, with};

/// The one text of every refusal.
const NOT_ALLOWED: &str = "address not allowed; see outbound.allow_networks";

/// A server on all addresses of this machine that counts its connections.
struct Sink {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, connections }
    }

    /// Returns the number of connections, after all that were made have been counted.
    fn count(&self) -> usize {
        // The kernel accepts connections in their order, so those before this one are counted first.
        let before = self.connections.load(Ordering::SeqCst);
        drop(std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let after = crate::kit::eventually("the connection is counted", || {
            Some(self.connections.load(Ordering::SeqCst)).filter(|count| *count > before)
        });
        self.connections.store(0, Ordering::SeqCst);
        after - 1
    }
}

/// Returns a job with one attempt that calls a URL.
fn call(url: &str) -> Value {
    with(http(url), &json!({"max_attempts": 1}))
}

/// Asserts that a job is refused when it is submitted.
fn assert_refused_at_once(server: &Server, url: &str) {
    let answer = server.post("/v1/jobs", &call(url)).expect(422);
    assert_eq!(
        answer["errors"],
        json!([{"pointer": "/payload/url", "detail": NOT_ALLOWED}]),
        "{url}"
    );
}

/// Asserts that the call of a job is refused when it runs.
fn assert_refused_when_it_runs(job: &Value) {
    assert_eq!(job["state"], "failed", "{job}");
    let error = json!({"code": "address_not_allowed", "message": NOT_ALLOWED});
    assert_eq!(
        (&job["error"]["code"], &job["error"]["message"]),
        (&error["code"], &error["message"]),
        "{job}"
    );
}
