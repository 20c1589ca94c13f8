//! A receiver of webhooks that keeps what it gets.

use std::sync::mpsc::{Receiver as Channel, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::kit::http::{Request, Target};
use crate::kit::{TEST_TIMEOUT, with};

/// Server that answers webhooks and keeps them.
pub(super) struct Receiver {
    target: Target,
    requests: Channel<Request>,
}

impl Receiver {
    /// Starts a receiver. `answer` returns the status line and the headers for each request; the number counts
    /// them from 1.
    pub(super) fn start(
        answer: impl Fn(usize, &Request) -> (&'static str, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let (sender, requests) = channel();
        let state = Arc::new(Mutex::new((0, sender)));
        let target = Target::start(move |reply, request| {
            let number = {
                let mut state = state.lock().unwrap();
                state.0 += 1;
                // The test may have ended.
                let _ = state.1.send(request.clone());
                state.0
            };
            let (status, headers) = answer(number, &request);
            reply.answer(status, headers, "");
        });
        Self { target, requests }
    }

    /// Starts a receiver that accepts everything.
    pub(super) fn accepting() -> Self {
        Self::start(|_, _| ("204 No Content", ""))
    }

    pub(super) fn url(&self) -> String {
        self.target.url("/hook")
    }

    /// Returns a job that sends its end to this receiver.
    pub(super) fn with_callback(&self, job: Value, fields: &Value) -> Value {
        let callback = with(json!({"url": self.url()}), fields);
        with(job, &json!({"callback": callback}))
    }

    /// Returns the next webhook.
    pub(super) fn next(&self) -> Request {
        self.requests.recv_timeout(TEST_TIMEOUT).unwrap()
    }

    /// Returns the webhooks that have arrived and were not returned yet.
    pub(super) fn others(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// Returns the body of a webhook.
pub(super) fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}
