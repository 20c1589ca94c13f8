//! Jobs of kind `chat`, run against the mock model server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::between;
use crate::kit::model::Model;
use crate::kit::{Setup, with};

fn chat(question: &str, mock: &Value) -> Value {
    let messages = json!([{"role": "user", "content": question}]);
    json!({"kind": "chat", "payload": {"model": "mock", "messages": messages, "mock": mock}})
}

#[test]
fn a_chat_job_returns_the_answer_of_the_model() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("one")).start();
    let job = server.run(&chat("What's the capital of France?", &json!(null)));
    assert_eq!((&job["state"], &job["lane"]), (&json!("completed"), &json!("async")), "{job}");
    let answer = &job["result"]["choices"][0]["message"]["content"];
    assert_eq!(answer, "The capital of France is Paris.");
    assert!(job["result"]["usage"]["total_tokens"].is_u64());
}

#[test]
fn a_busy_model_is_called_again_after_the_time_in_retry_after_and_the_refusals_do_not_count() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("one")).start();
    let mock = json!({"fault": "429", "times": 2, "key": "a", "retry_after": "1"});
    let fast_backoff = json!({"backoff": {"initial": "10ms"}});
    let job = server.run(&with(chat("A joke?", &mock), &fast_backoff));
    // A refusal with a time is the provider's state, and no attempt of the job.
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    assert_eq!(job["failures"], json!([]));
    let pause = between(&job["created_at"], &job["started_at"]);
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    let stats = model.stats();
    assert_eq!((stats.by_status[&429], stats.by_status[&200]), (2, 1));
}

#[test]
fn a_bad_request_fails_at_once_and_a_broken_answer_is_retried() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("one")).start();
    let job = server.run(&chat("?", &json!({"fault": "400"})));
    assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(1)), "{job}");
    let fast_backoff = json!({"backoff": {"initial": "10ms"}});
    for fault in ["hangup", "cut", "500"] {
        let mock = json!({"fault": fault, "times": 1, "key": fault});
        let job = server.run(&with(chat("?", &mock), &fast_backoff));
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
    }
}

#[test]
fn an_error_or_no_choices_in_a_200_answer_is_retried() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("one")).start();
    let fast_backoff = json!({"backoff": {"initial": "10ms"}});
    for (fault, code) in [("error", "provider_error"), ("empty", "bad_answer")] {
        let mock = json!({"fault": fault, "times": 1, "key": fault});
        let job = server.run(&with(chat("?", &mock), &fast_backoff));
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
        assert_eq!(job["failures"][0]["code"], code, "{job}");
    }
}

#[test]
fn an_answer_that_would_be_as_bad_again_is_paid_for_once() {
    let model = Model::start(Duration::ZERO);
    let server = Setup::new().config(model.provider("one")).start();
    for (fault, code) in [("garbage", "bad_answer"), ("quota", "http_status")] {
        let job = server.run(&chat("?", &json!({"fault": fault})));
        assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(1)), "{job}");
        assert_eq!(job["error"]["code"], code, "{job}");
    }
    let job = server.run(&chat("A joke?", &json!({"fault": "gzip"})));
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    assert!(job["result"]["choices"][0]["message"]["content"].is_string(), "{job}");
    assert_eq!(model.stats().requests, 3);
}

#[test]
fn a_job_must_name_its_provider_if_there_are_several() {
    let (one, two) = (Model::start(Duration::ZERO), Model::start(Duration::ZERO));
    let config = [one.provider("one"), two.provider("two")].concat();
    let server = Setup::new().config(config).start();
    let mut job = chat("?", &json!(null));
    let refused = server.post("/v1/jobs", &job);
    refused.problem(422);
    assert_eq!(crate::kit::pointers(&refused), ["/payload/provider"]);
    job["payload"]["provider"] = "two".into();
    assert_eq!(server.run(&job)["state"], "completed");
    assert_eq!((one.stats().requests, two.stats().requests), (0, 1));
}

#[test]
fn a_model_never_gets_more_concurrent_calls_than_max_running() {
    let model = Model::start(Duration::from_millis(50));
    let config = format!("{}[queues.default]\nmax_running = 5", model.provider("one"));
    let server = Setup::new().config(config).start();
    let jobs: Vec<Value> = (0..100).map(|_| chat("A joke?", &json!(null))).collect();
    let batch = server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let path = format!("/v1/batches/{}?wait=60s", batch["id"]);
    assert_eq!(server.get(&path).expect(200)["counts"]["completed"], 100);
    let stats = model.stats();
    assert_eq!((stats.peak_running, stats.by_status[&200]), (5, 100));
    let at_five = stats.running_ms.get(&5).copied().unwrap_or(0.0);
    eprintln!(
        "max_running = 5: peak of {} concurrent calls, {at_five:.0} of {:.0} ms at 5",
        stats.peak_running, stats.span_ms
    );
}
