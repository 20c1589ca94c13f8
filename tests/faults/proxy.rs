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
            let recorded = record_request(&recorder, &request);
            let answer = forward(server, &request);
            let delivery =
                answer.as_ref().map_or(Delivery::Lost, |answer| delivery(&request, answer));
            match delivery {
                Delivery::Delivered => recorded.answer(&recorder, &answer),
                Delivery::Lost => recorded.lose(&recorder),
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

/// A request that belongs to the history, with the number of each call in it.
enum Recorded {
    Lease(u64),
    /// The finish of one job.
    Finish(u64),
    /// Reports on many jobs, in their order. A renewal has no number, because it is not recorded.
    Reports(Vec<Option<u64>>),
    Other,
}

impl Recorded {
    fn calls(&self) -> Vec<u64> {
        match self {
            Self::Lease(call) | Self::Finish(call) => vec![*call],
            Self::Reports(calls) => calls.iter().flatten().copied().collect(),
            Self::Other => Vec::new(),
        }
    }

    /// Records that no answer was delivered.
    fn lose(&self, recorder: &Recorder) {
        for call in self.calls() {
            recorder.record(&Event::Unknown { call, why: "the answer was lost".into() });
        }
    }

    /// Records the answer, which is about to be delivered.
    fn answer(&self, recorder: &Recorder, answer: &std::io::Result<Response>) {
        match self {
            Self::Reports(calls) if answer.as_ref().is_ok_and(|answer| answer.status == 200) => {
                let body = answer.as_ref().unwrap().json();
                let answers = body["answers"].as_array().unwrap();
                assert_eq!(answers.len(), calls.len());
                for (call, answer) in calls.iter().zip(answers) {
                    if let Some(call) = *call {
                        recorder.record(&reported(call, answer));
                    }
                }
            }
            Self::Lease(call) => recorder.answer(*call, answer, |answer| leased(*call, answer)),
            _ => {
                for call in self.calls() {
                    recorder.answer(call, answer, |answer| finished(call, answer));
                }
            }
        }
    }
}

fn is_finish(action: &str) -> bool {
    matches!(action, "complete" | "fail" | "release")
}

/// Records the finish of a job, and returns the number of the call.
fn record_finish(recorder: &Recorder, job: i64, action: &str, body: &Value) -> u64 {
    let (call, token) = (recorder.call(), body["lease_token"].as_i64().unwrap());
    let result = (action == "complete").then(|| hash(&body["result"]));
    recorder.record(&Event::Finish { call, job, token, action: action.to_owned(), result });
    call
}

/// Records a request if it belongs to the history.
fn record_request(recorder: &Recorder, request: &Request) -> Recorded {
    let body = json(request);
    if request.path == "/v1/leases" {
        let (call, worker) = (recorder.call(), body["worker"].as_str().unwrap_or_default());
        recorder.record(&Event::Lease { call, worker: worker.to_owned() });
        return Recorded::Lease(call);
    }
    if request.path == "/v1/leases/finish" {
        let record = |report: &Value| {
            let action = report["action"].as_str().filter(|action| is_finish(action))?;
            Some(record_finish(recorder, report["id"].as_i64().unwrap(), action, report))
        };
        return Recorded::Reports(body.as_array().unwrap().iter().map(record).collect());
    }
    let path = request.path.strip_prefix("/v1/leases/").and_then(|path| path.split_once('/'));
    match path.map(|(job, action)| (job.parse(), action)) {
        Some((Ok(job), action)) if is_finish(action) => {
            Recorded::Finish(record_finish(recorder, job, action, &body))
        }
        _ => Recorded::Other,
    }
}

/// Returns the event for one answer to one of many reports.
fn reported(call: u64, answer: &Value) -> Event {
    match u16::try_from(answer["status"].as_u64().unwrap()).unwrap() {
        200 => finished(call, answer),
        status @ 400..=499 => Event::Refused { call, status },
        status => Event::Unknown { call, why: format!("status {status}") },
    }
}

fn finished(call: u64, answer: &Value) -> Event {
    Event::Finished { call, is_repeated: answer["repeated"] == true }
}

fn leased(call: u64, answer: &Value) -> Event {
    let lease = |job: &Value| HeldLease {
        job: job["id"].as_i64().unwrap(),
        token: job["lease_token"].as_i64().unwrap(),
    };
    Event::Leased { call, leases: answer["jobs"].as_array().unwrap().iter().map(lease).collect() }
}
