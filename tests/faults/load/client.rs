//! A client that submits, reads and cancels jobs, and records every request and answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::recording_client::RecordingClient;
use super::{FOLLOW_UP, Shared};
use crate::history::{Event, Submit, hash};
use crate::kit::{echo, sleep, with};
use crate::random::Random;

pub(super) struct Client {
    number: u64,
    shared: Arc<Shared>,
    /// Base URL of the server that records effects.
    effects: String,
    random: Random,
    http: RecordingClient,
    /// Ids of the jobs that it submitted and that were accepted.
    ids: Vec<i64>,
}

/// Job to submit: its body, and what the history records about it.
struct NewJob {
    body: String,
    submit: Submit,
}

impl Client {
    pub(super) fn new(number: u64, shared: Arc<Shared>, effects: String) -> Self {
        let random = Random::new(number);
        let http = RecordingClient::new(Arc::clone(&shared));
        Self { number, shared, effects, random, http, ids: Vec::new() }
    }

    pub(super) fn work(mut self) {
        let mut round = 0;
        while !self.shared.is_over() {
            round += 1;
            match self.random.below(16) {
                0 | 1 => self.read(),
                2 => self.cancel(),
                draw => self.submit(&format!("{}-{round}", self.number), draw),
            }
            let pause = self.random.below(2 * self.shared.pause_ms + 1);
            std::thread::sleep(Duration::from_millis(pause));
        }
    }

    fn new_job(&mut self, tag: &str, draw: u64) -> NewJob {
        let call = json!({"kind": "http", "payload": {"url": format!("{}{tag}", self.effects)}});
        let (job, result) = match draw {
            3 => (sleep("20ms"), None),
            4 => (with(sleep("200ms"), &json!({"delay": "100ms"})), None),
            5..=8 => (call, None),
            9 | 10 => (json!({"kind": "remote", "lane": "remote", "payload": tag}), None),
            _ => (echo(tag), Some(hash(&Value::from(tag)))),
        };
        let at_most_once = matches!(draw, 6..=8 | 10);
        let follow_up = (self.random.below(4) == 0).then(|| format!("{tag}{FOLLOW_UP}"));
        let mut fields = json!({"tags": [tag], "at_most_once": at_most_once, "max_attempts": 100});
        if let Some(tag) = &follow_up {
            // The kind echo returns its payload, which is the result of this job.
            let then =
                with(echo(json!({"$from": "job"})), &json!({"tags": [tag], "max_attempts": 100}));
            fields["then"] = then;
        }
        let key = (self.random.below(2) == 0).then(|| tag.to_owned());
        let has_effect = job["kind"] == "http" || job["kind"] == "remote";
        let submit =
            Submit { call: 0, tag: tag.into(), key, at_most_once, has_effect, result, follow_up };
        NewJob { body: with(job, &fields).to_string(), submit }
    }

    /// Submits a job.
    ///
    /// With an idempotency key the request is repeated until it is answered. Without one it is sent
    /// once, because its outcome may be unknown and a second request could make a second job.
    fn submit(&mut self, tag: &str, draw: u64) {
        let NewJob { body, submit } = self.new_job(tag, draw);
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(submit.key.as_deref().map(|key| ("idempotency-key", key)));
        while !self.shared.is_over() {
            let sent = |call| Event::Submit(Submit { call, ..submit.clone() });
            let answer =
                self.http.request("POST", "/v1/jobs", &headers, &body, sent, |call, body| {
                    Event::Submitted { call, job: body["id"].as_i64().unwrap() }
                });
            match &answer {
                Some(Ok(answer)) if answer.status == 202 => {
                    self.ids.push(answer.json()["id"].as_i64().unwrap());
                    return;
                }
                Some(Ok(answer)) => assert!(answer.status >= 500, "{answer:?}"),
                Some(Err(_)) | None => {}
            }
            // Without a connection nothing was sent, so the request may be sent again.
            if submit.key.is_none() && answer.is_some() {
                return;
            }
        }
    }

    /// Reads a job that was accepted.
    fn read(&mut self) {
        let Some(job) = self.any_job() else { return };
        let sent = |call| Event::Read { call, job };
        self.http.request("GET", &format!("/v1/jobs/{job}"), &[], "", sent, |call, body| {
            Event::Seen { call, state: body["state"].as_str().unwrap().into() }
        });
    }

    fn cancel(&mut self) {
        let Some(job) = self.any_job() else { return };
        let (path, sent) = (format!("/v1/jobs/{job}/cancel"), |call| Event::Cancel { call, job });
        self.http.request("POST", &path, &[], "", sent, |call, body| Event::Cancelled {
            call,
            state: body["state"].as_str().unwrap().into(),
        });
    }

    fn any_job(&mut self) -> Option<i64> {
        let count = self.ids.len().max(1) as u64;
        // One of the latest 50 jobs, because older ones have probably ended.
        let back = self.random.below(count.min(50)) as usize;
        self.ids.iter().rev().nth(back).copied()
    }
}
