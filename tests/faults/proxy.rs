//! A proxy between remote workers and the server. It records requests and answers, and can drop
//! answers.

use std::net::SocketAddr;

use serde_json::Value;

use crate::history::{Event, HeldLease, Recorder, hash};
use crate::kit::http::{OpenReply, Request, Target};
use crate::kit::{Connection, Response};

/// What the proxy does with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The answer is passed to the client.
    Delivered,
    /// The server has processed the request, and the proxy closes the connection without an answer.
    Lost,
}

/// A proxy that runs until the test ends.
pub(crate) struct Proxy(Target);

impl Proxy {
    /// Starts a proxy that passes requests to `server` and handles each answer as `delivery` returns.
    pub(crate) fn start(
        server: SocketAddr,
        recorder: Recorder,
        delivery: impl Fn(&Request, &Response) -> Delivery + Send + Sync + 'static,
    ) -> Self {
        Self(Target::start(move |caller, request| {
            let call = recorder.call();
            let is_recorded = record_request(&recorder, call, &request);
            let answer = forward(server, &request);
            let delivery =
                answer.as_ref().map_or(Delivery::Lost, |answer| delivery(&request, answer));
            if is_recorded && delivery == Delivery::Delivered {
                recorder.answer(call, &answer, |answer| accepted(call, &request, answer));
            } else if is_recorded {
                recorder.record(&Event::Unknown { call, why: "the answer was lost".into() });
            }
            match answer {
                Ok(answer) if delivery == Delivery::Delivered => deliver(caller, &answer),
                _ => caller.disconnect(),
            }
        }))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url("")
    }

    /// Sends a request through the proxy. Returns `None` if the answer was lost.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Option<Response> {
        Connection::open(self.addr()).and_then(|mut connection| connection.post(path, body)).ok()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr()
    }
}

fn forward(server: SocketAddr, request: &Request) -> std::io::Result<Response> {
    let headers: Vec<(&str, &str)> =
        request.header("content-type").map(|value| ("content-type", value)).into_iter().collect();
    Connection::open(server)?.request(&request.method, &request.path, &headers, &request.body)
}

fn deliver(caller: &mut OpenReply, answer: &Response) {
    let names = ["content-type", "retry-after"];
    let lines =
        names.iter().filter_map(|name| Some(format!("{name}: {}\r\n", answer.header(name)?)));
    let body = String::from_utf8_lossy(&answer.body);
    caller.answer(&format!("{} Forwarded", answer.status), &lines.collect::<String>(), &body);
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

/// Returns the job and the action of a finish, and `None` for other requests.
///
/// A bulk request is not a finish, because the workers of these tests use it for renewals only.
fn finish(request: &Request) -> Option<(i64, &str)> {
    let (job, action) = request.path.strip_prefix("/v1/leases/")?.split_once('/')?;
    let job = job.parse().ok()?;
    matches!(action, "complete" | "fail" | "release").then_some((job, action))
}

/// Records a request if it belongs to the history, and returns whether it does.
fn record_request(recorder: &Recorder, call: u64, request: &Request) -> bool {
    let body = json(request);
    let event = if request.path == "/v1/leases" {
        let worker = body["worker"].as_str().unwrap_or_default().to_owned();
        Event::Lease { call, worker }
    } else if let Some((job, action)) = finish(request) {
        let result = (action == "complete").then(|| hash(&body["result"]));
        let token = body["lease_token"].as_i64().unwrap();
        Event::Finish { call, job, token, action: action.to_owned(), result }
    } else {
        return false;
    };
    recorder.record(&event);
    true
}

/// Returns the event for an answer that is a 2xx.
fn accepted(call: u64, request: &Request, answer: &Value) -> Event {
    if request.path != "/v1/leases" {
        return Event::Finished { call, is_repeated: answer["repeated"] == true };
    }
    let lease = |job: &Value| HeldLease {
        job: job["id"].as_i64().unwrap(),
        token: job["lease_token"].as_i64().unwrap(),
    };
    Event::Leased { call, leases: answer["jobs"].as_array().unwrap().iter().map(lease).collect() }
}
