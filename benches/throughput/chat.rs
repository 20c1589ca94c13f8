//! Many calls of a model at once.

use std::time::{Duration, Instant};

use longshore::cli::mock_llm::{self, MockLlm, Options};
use longshore::config::{CommandConfig, Config, Lanes, ProviderConfig};
use longshore::job::Submission;
use longshore::job::queue::QueueChange;

use crate::report::{Figure, Goal};
use crate::server::{self, Running};

const QUEUE: &str = "chat";

/// T8: 2,000 calls of a second each, 500 at once: four seconds, if nothing else took time.
pub fn run() -> Vec<Figure> {
    server::in_system(async {
        let (model, running) = start(Duration::from_secs(1), 500).await;
        let began = Instant::now();
        finish_all(&running, 2_000).await;
        let took = began.elapsed().as_secs_f64();
        let stats = model.stats();
        running.server.stop();
        model.stop().await;
        eprintln!("T8: the model saw a peak of {} at once", stats.peak_running);
        assert!(stats.peak_running <= 500, "more ran than may");
        let goal = Some(Goal::AtMost(1.05));
        let what = "2,000 chat jobs of 1 s, 500 at once, submitted to completed";
        vec![Figure::new("T8", what, (took, "s"), (4.0, "the ideal"), goal)]
    })
}

/// 100 jobs in a queue that runs 5: the model's own count tells.
pub fn slots() -> Vec<Figure> {
    server::in_system(async {
        let (model, running) = start(Duration::from_millis(200), 5).await;
        finish_all(&running, 100).await;
        let stats = model.stats();
        running.server.stop();
        model.stop().await;
        let at_five = stats.running_ms.get(&5).copied().unwrap_or(0.0);
        eprintln!("slots: time at each level of concurrency, ms: {:?}", stats.running_ms);
        let peak = (f64::from(u32::try_from(stats.peak_running).unwrap_or(u32::MAX)), "at once");
        vec![
            Figure::new(
                "slots_peak",
                "100 chat jobs in a queue with max_running = 5: the model's peak",
                peak,
                (5.0, "max_running"),
                Some(Goal::AtMost(1.0)),
            ),
            Figure::new(
                "slots_kept",
                "the same: time with exactly five at once",
                (at_five, "ms"),
                (stats.span_ms, "all the time, ms"),
                Some(Goal::AtLeast(0.9)),
            ),
        ]
    })
}

/// A model with this delay, and a server whose chat queue runs so many.
pub async fn start(delay: Duration, max_running: u32) -> (MockLlm, Running) {
    let model =
        mock_llm::start(Options { delay, ..Options::default() }).await.expect("the model starts");
    let provider = ProviderConfig {
        base_url: model.base_url(),
        api_key_env: None,
        max_running: None,
        requests_per_minute: None,
    };
    let lanes = Lanes { async_: 1_100, ..Lanes::default() };
    let providers = [("mock".to_string(), provider)].into();
    let slow = CommandConfig {
        argv: ["sleep", "60"].map(String::from).to_vec(),
        cwd: None,
        env: Default::default(),
        env_from: Vec::new(),
        timeout: None,
    };
    let commands = [("slow".to_string(), slow)].into();
    let running = server::start(Config { lanes, providers, commands, ..Config::default() });
    let limit = QueueChange { max_running: Some(Some(max_running)), ..QueueChange::default() };
    running.handle().configure(QUEUE.parse().expect("a name"), limit).await.expect("limits");
    (model, running)
}

/// Submits so many chat jobs as one batch and waits for its end.
pub async fn finish_all(running: &Running, jobs: usize) {
    let handle = running.handle();
    let batch = handle.submit_batch(None, vec![question(); jobs], None).await.expect("submitted");
    let id = batch.value.id;
    let batch = handle.wait_batch(id, Duration::from_secs(60)).await.expect("it is read");
    assert_eq!(batch.counts.completed, jobs as i64, "{batch:?}");
}

/// A question to the model.
pub fn question() -> Submission {
    let payload = serde_json::json!({
        "model": "mock",
        "messages": [{"role": "user", "content": "Tell me a joke"}],
    });
    let submission = Submission::new("chat", &payload).expect("JSON");
    Submission { queue: Some(QUEUE.into()), ..submission }
}
