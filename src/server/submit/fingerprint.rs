//! Fingerprints of submissions by value, for idempotency keys.
//!
//! Two submissions have the same fingerprint if they ask for the same jobs, however they are written:
//! white space, the order of fields and escaped letters do not matter, `"1m"` is `60`, and a field that is
//! absent has its built-in default. A field whose default can be configured is absent in its own right,
//! because a repetition after a change of the configuration is still the same submission. In payloads
//! numbers are compared by their text, so `1` and `1.0` differ.

mod json;

use sha2::{Digest, Sha256};

use crate::job::batch::BatchOptions;
use crate::job::submission::on_end::callback::Callback;
use crate::job::submission::{BackoffChange, MAX_METADATA_BYTES};
use crate::job::{Lane, Submission, Timestamp};

/// A SHA-256 hash.
pub(crate) type Fingerprint = [u8; 32];

/// Returns the fingerprint of a single job that is submitted to `path`, where a payload of more than
/// `max_payload_bytes` will be refused.
pub(crate) fn of_job(path: &str, job: &Submission, max_payload_bytes: usize) -> Fingerprint {
    let mut hash = Hasher::new(path, max_payload_bytes);
    hash.text("job", "");
    hash.submission(job);
    hash.finish()
}

/// Returns the fingerprint of a list of jobs, as [`of_job`] does.
pub(crate) fn of_jobs(path: &str, jobs: &[Submission], max_payload_bytes: usize) -> Fingerprint {
    let mut hash = Hasher::new(path, max_payload_bytes);
    hash.text("jobs", "");
    jobs.iter().for_each(|job| hash.submission(job));
    hash.finish()
}

/// Returns the fingerprint of a batch, as [`of_job`] does.
pub(crate) fn of_batch(
    path: &str,
    options: &BatchOptions,
    jobs: &[Submission],
    max_payload_bytes: usize,
) -> Fingerprint {
    let mut hash = Hasher::new(path, max_payload_bytes);
    hash.text("batch", "");
    let BatchOptions { name, callback, then, open } = options;
    hash.optional_text("name", name.as_deref());
    hash.flag("open", *open);
    if let Some(callback) = callback {
        hash.callback(callback);
    }
    if let Some(then) = then {
        hash.name("then");
        hash.submission(then);
    }
    jobs.iter().for_each(|job| hash.submission(job));
    hash.finish()
}

/// Hashes fields with their names. A text is preceded by its length, so that the boundaries of fields
/// cannot be shifted.
struct Hasher {
    hash: Sha256,
    max_payload_bytes: usize,
}

impl Hasher {
    fn new(path: &str, max_payload_bytes: usize) -> Self {
        let mut hash = Self { hash: Sha256::new(), max_payload_bytes };
        hash.text("path", path);
        hash
    }

    fn finish(self) -> Fingerprint {
        self.hash.finalize().into()
    }

    fn name(&mut self, name: &'static str) {
        self.hash.update(name);
        self.hash.update([0]);
    }

    fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.hash.update((text.len() as u64).to_le_bytes());
        self.hash.update(text);
    }

    /// Hashes a value. One that is too large is refused afterwards, so its keys are not sorted, which could
    /// take minutes.
    fn json(&mut self, name: &'static str, text: &str, max_bytes: usize) {
        self.name(name);
        if text.len() <= max_bytes {
            json::hash(text, &mut self.hash);
        } else {
            self.text("large", text);
        }
    }

    fn optional_text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn optional_number(&mut self, name: &'static str, number: Option<impl Into<i64>>) {
        if let Some(number) = number {
            self.name(name);
            self.hash.update(number.into().to_le_bytes());
        }
    }

    fn flag(&mut self, name: &'static str, is_set: bool) {
        if is_set {
            self.name(name);
        }
    }

    /// Hashes all fields of a submission, without those that have their built-in defaults. So a version
    /// with a new field computes the same fingerprint for a submission that does not have it.
    fn submission(&mut self, submission: &Submission) {
        // Every field is named, so that a new one is not forgotten here.
        let Submission {
            kind,
            payload,
            lane,
            queue,
            priority,
            run_at,
            delay,
            timeout,
            max_attempts,
            backoff,
            at_most_once,
            expires_at,
            expires_in,
            tags,
            truncate_result,
            metadata,
            callback,
            then,
        } = submission;
        self.text("kind", kind);
        self.json("payload", payload.as_str(), self.max_payload_bytes);
        // Every other lane that is accepted is that of the kind.
        let lane = lane.filter(|lane| *lane == Lane::Remote);
        self.optional_text("lane", lane.map(|lane| lane.as_str()));
        self.optional_text("queue", queue.as_deref());
        self.optional_number("priority", priority.filter(|priority| *priority != 0));
        self.optional_number("run_at", run_at.map(Timestamp::millis));
        // Without `run_at` a delay of zero is the default.
        let delay_ms = delay.map(|delay| delay.millis());
        self.optional_number("delay", delay_ms.filter(|ms| *ms != 0 || run_at.is_some()));
        self.optional_number("timeout", timeout.map(|timeout| timeout.millis()));
        self.optional_number("max_attempts", *max_attempts);
        self.backoff(backoff.unwrap_or_default());
        self.flag("at_most_once", *at_most_once);
        self.optional_number("expires_at", expires_at.map(Timestamp::millis));
        self.optional_number("expires_in", expires_in.map(|span| span.millis()));
        tags.iter().for_each(|tag| self.text("tag", tag));
        self.flag("truncate_result", *truncate_result);
        if let Some(metadata) = metadata {
            self.json("metadata", metadata.as_str(), MAX_METADATA_BYTES);
        }
        if let Some(callback) = callback {
            self.callback(callback);
        }
        if let Some(then) = then {
            self.name("then");
            self.submission(then);
        }
        self.name("end");
    }

    fn callback(&mut self, callback: &Callback) {
        let Callback { url, events, include_result, secret } = callback;
        self.text("callback", url);
        if let Some(events) = events {
            self.text("callback.events", &serde_json::to_string(events).unwrap_or_default());
        }
        self.flag("callback.include_result", *include_result);
        self.optional_text("callback.secret", secret.as_ref().map(|name| name.as_str()));
    }

    fn backoff(&mut self, change: BackoffChange) {
        let BackoffChange { initial, factor, max, jitter, max_retry_after } = change;
        self.optional_number("backoff.initial", initial.map(|initial| initial.millis()));
        self.optional_text("backoff.factor", factor.map(|factor| factor.to_string()).as_deref());
        self.optional_number("backoff.max", max.map(|max| max.millis()));
        self.optional_text("backoff.jitter", jitter.map(|jitter| jitter.to_string()).as_deref());
        self.optional_number("backoff.max_retry_after", max_retry_after.map(|max| max.millis()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    const MAX_BYTES: usize = 4 << 10;

    fn job(text: &str) -> Fingerprint {
        of_job("/v1/jobs", &parse_json(text.as_bytes()).unwrap(), MAX_BYTES)
    }

    fn named(name: Option<&str>) -> BatchOptions {
        name.map(str::to_owned).into()
    }

    fn jobs(text: &str) -> Vec<Submission> {
        parse_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn another_way_of_writing_is_the_same_submission() {
        let first = job(r#"{"kind":"echo","payload":{"a":[1,"x"],"b":null}}"#);
        for text in [
            r#" { "kind" : "echo", "payload": { "a": [ 1, "x" ], "b": null } } "#,
            "{\"payload\":{\"b\":null,\r\n\"a\":[1,\"x\"]},\t\"kind\":\"echo\"}\n",
            r#"{"kind":"\u0065cho","p\u0061yload":{"\u0061":[1,"\u0078"],"b":null}}"#,
        ] {
            assert_eq!(job(text), first, "{text}");
        }
    }

    #[test]
    fn an_absent_field_is_its_built_in_default() {
        let first = job(r#"{"kind":"echo"}"#);
        for text in [
            r#"{"kind":"echo","payload":null}"#,
            r#"{"kind":"echo","priority":0,"at_most_once":false,"tags":[],"backoff":{}}"#,
            r#"{"kind":"echo","priority":null,"queue":null,"timeout":null,"run_at":null}"#,
            r#"{"kind":"echo","truncate_result":false,"metadata":null}"#,
            r#"{"kind":"echo","lane":"async"}"#,
            r#"{"kind":"echo","delay":0}"#,
            r#"{"kind":"echo","delay":"0s"}"#,
        ] {
            assert_eq!(job(text), first, "{text}");
        }
    }

    #[test]
    fn times_and_durations_are_compared_by_value() {
        let same = [
            (r#""delay":"1m""#, r#""delay":60"#),
            (r#""timeout":"1h 30m""#, r#""timeout":"90m""#),
            (r#""run_at":"2030-01-01T00:00:00Z""#, r#""run_at":"2030-01-01T01:00:00.000+01:00""#),
            (
                r#""backoff":{"initial":"1000ms","factor":2}"#,
                r#""backoff":{"factor":2.0,"initial":1}"#,
            ),
        ];
        for (one, other) in same {
            let job = |field: &str| job(&format!(r#"{{"kind":"echo",{field}}}"#));
            assert_eq!(job(one), job(other), "{one} and {other}");
        }
    }

    #[test]
    fn another_value_of_any_field_is_another_submission() {
        let texts = [
            r#"{"kind":"echo"}"#,
            r#"{"kind":"sleep"}"#,
            r#"{"kind":"echo","payload":1}"#,
            r#"{"kind":"echo","payload":1.0}"#,
            r#"{"kind":"echo","payload":"1"}"#,
            r#"{"kind":"echo","lane":"remote"}"#,
            r#"{"kind":"echo","queue":"default"}"#,
            r#"{"kind":"echo","priority":1}"#,
            r#"{"kind":"echo","run_at":"2030-01-01T00:00:00Z"}"#,
            r#"{"kind":"echo","delay":1}"#,
            r#"{"kind":"echo","timeout":1}"#,
            r#"{"kind":"echo","max_attempts":5}"#,
            r#"{"kind":"echo","backoff":{"initial":1}}"#,
            r#"{"kind":"echo","backoff":{"max":1}}"#,
            r#"{"kind":"echo","backoff":{"factor":1}}"#,
            r#"{"kind":"echo","backoff":{"jitter":1}}"#,
            r#"{"kind":"echo","at_most_once":true}"#,
            r#"{"kind":"echo","truncate_result":true}"#,
            r#"{"kind":"echo","metadata":{}}"#,
            r#"{"kind":"echo","metadata":{"a":1}}"#,
            r#"{"kind":"echo","backoff":{"max_retry_after":1}}"#,
            r#"{"kind":"echo","expires_at":"2030-01-01T00:00:00Z"}"#,
            r#"{"kind":"echo","tags":["a","b"]}"#,
            r#"{"kind":"echo","tags":["b","a"]}"#,
            r#"{"kind":"echo","tags":["ab"]}"#,
        ];
        let fingerprints: std::collections::HashSet<_> = texts.map(job).into();
        assert_eq!(fingerprints.len(), texts.len());
    }

    #[test]
    fn the_fingerprint_does_not_change_between_versions() {
        let hex = |bytes: Fingerprint| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(job(r#"{"kind":"echo"}"#)),
            "d153e65b21fba6367ee2aeef33d6b029f47a2dc391627000257b2d34fe3d1d68"
        );
        let all = r#"{"kind":"echo","payload":{"b":[1,2.0,"x",null],"a":true},"lane":"remote",
            "queue":"mail","priority":-5,"delay":"1m","timeout":30,"max_attempts":3,
            "backoff":{"initial":1,"factor":1.5,"max":"1m","jitter":0.1,"max_retry_after":"1h"},
            "at_most_once":true,"expires_at":"2030-01-01T00:00:00Z","tags":["a"],
            "truncate_result":true,"metadata":{"user":7}}"#;
        assert_eq!(
            hex(job(all)),
            "fa0e895631dbd2fc2aeb0e078654dc5626069cd55770e11d6a5c1e31a94e199f"
        );
    }

    #[test]
    fn a_job_a_list_and_a_batch_differ_and_so_do_paths() {
        let list = jobs(r#"[{"kind":"echo"}]"#);
        let two = jobs(r#"[{"kind":"echo"},{"kind":"echo"}]"#);
        let fingerprints = [
            of_job("/v1/jobs", &list[0], MAX_BYTES),
            of_jobs("/v1/jobs", &list, MAX_BYTES),
            of_jobs("/v1/jobs", &two, MAX_BYTES),
            of_jobs("/v1/job", &list, MAX_BYTES),
            of_batch("/v1/jobs", &named(None), &list, MAX_BYTES),
            of_batch("/v1/jobs", &named(Some("")), &list, MAX_BYTES),
            of_batch("/v1/jobs", &named(Some("a")), &list, MAX_BYTES),
        ];
        let distinct: std::collections::HashSet<_> = fingerprints.into();
        assert_eq!(distinct.len(), fingerprints.len());
    }

    #[test]
    fn the_keys_of_a_value_that_will_be_refused_are_not_sorted() {
        let values = |fill: usize| {
            let fill = "x".repeat(fill);
            [format!(r#"{{"a":"{fill}","b":1}}"#), format!(r#"{{"b":1,"a":"{fill}"}}"#)]
        };
        for (field, max) in [("payload", MAX_BYTES), ("metadata", MAX_METADATA_BYTES)] {
            let of = |value: String| job(&format!(r#"{{"kind":"echo","{field}":{value}}}"#));
            let [one, other] = values(max / 2).map(of);
            assert_eq!(one, other, "{field}");
            let [one, other] = values(max).map(of);
            assert_ne!(one, other, "{field}");
        }
    }
}
