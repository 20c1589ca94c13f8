//! A model server whose answers a test chooses, and which counts the calls that it gets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::kit::http::{Gate, Target};

const ANSWER: &str = r#"{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}"#;

/// What the server does with a call.
pub(super) enum Reply {
    /// Answers it after this time.
    Answer(Duration),
    /// Refuses it at once with a status and headers, each of which ends with `\r\n`.
    Refuse(&'static str, &'static str),
    /// Answers it when the gate lets it continue.
    Wait(Arc<Gate>),
}

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    peak: AtomicUsize,
    /// Bodies of all calls, in the order of their arrival.
    calls: Mutex<Vec<String>>,
}

/// A model server that runs until the test ends.
pub(super) struct ModelServer {
    target: Target,
    counts: Arc<Counts>,
}

impl ModelServer {
    /// Starts a server that replies to each call, given its number from 1, with `reply`.
    pub(super) fn start(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::by_body(move |number, _| reply(number))
    }

    /// Starts a server that replies to each call, given its number from 1 and its body, with `reply`.
    pub(super) fn by_body(reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let target = Target::start(move |caller, request| {
            let running = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
            shared.peak.fetch_max(running, Ordering::SeqCst);
            let asked = String::from_utf8(request.body).unwrap();
            let number = {
                let mut calls = shared.calls.lock().unwrap();
                calls.push(asked.clone());
                calls.len()
            };
            let (status, headers, body) = match reply(number, &asked) {
                Reply::Answer(delay) => {
                    std::thread::sleep(delay);
                    ("200 OK", "", ANSWER)
                }
                Reply::Wait(gate) => {
                    gate.wait();
                    ("200 OK", "", ANSWER)
                }
                Reply::Refuse(status, headers) => (status, headers, r#"{"error": "busy"}"#),
            };
            // Before the answer, because the next call may arrive as soon as it is sent.
            shared.running.fetch_sub(1, Ordering::SeqCst);
            let headers = format!("content-type: application/json\r\n{headers}");
            caller.answer(status, &headers, body);
        });
        Self { target, counts }
    }

    /// Returns the configuration of a provider that uses this server.
    pub(super) fn provider(&self, name: &str) -> String {
        format!("[providers.{name}]\nbase_url = '{}'\n", self.target.url("/v1"))
    }

    /// Returns the URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        self.target.url(path)
    }

    /// Returns the number of calls so far.
    pub(super) fn calls(&self) -> usize {
        self.counts.calls.lock().unwrap().len()
    }

    /// Returns the number of the first call that contains a text, counted from 1.
    pub(super) fn call_with(&self, text: &str) -> Option<usize> {
        let calls = self.counts.calls.lock().unwrap();
        calls.iter().position(|body| body.contains(text)).map(|index| index + 1)
    }

    /// Returns the maximum number of calls that were in progress at once.
    pub(super) fn peak(&self) -> usize {
        self.counts.peak.load(Ordering::SeqCst)
    }
}
