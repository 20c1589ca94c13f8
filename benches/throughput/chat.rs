//! T8 and slots: many concurrent calls of a model server.

use std::time::{Duration, Instant};

use longshore::cli::mock_llm::{self, MockLlm, Options};
use longshore::config::{CommandConfig, Config, Lanes, ProviderConfig};
use longshore::job::Submission;
use longshore::job::queue::QueueChange;

use crate::report::{Figure, Goal};
use crate::server::{self, Running};

const QUEUE: &str = "chat";

/// T8: 2,000 calls of one second each, 500 at once. The ideal is four seconds.
pub fn run() -> Vec<Figure> {
    server::in_system(async {
        let (model, running) = start(Duration::from_secs(1), 500).await;
        let started = Instant::now();
        finish_all(&running, 2_000).await;
        let took = started.elapsed().as_secs_f64();
        let stats = model.stats();
        running.server.stop();
        model.stop().await;
        eprintln!("T8: the model server ran at most {} calls at once", stats.peak_running);
        assert!(stats.peak_running <= 500, "more calls ran at once than max_running allows");
        let goal = Some(Goal::AtMost(1.05));
        let what = "2,000 chat jobs of 1 s, 500 at once, submitted to completed";
        vec![Figure::new("T8", what, (took, "s"), (4.0, "the ideal, s"), goal)]
    })
}

/// slots: 100 jobs in a queue with `max_running` 5, counted by the model server.
pub fn slots() -> Vec<Figure> {
    server::in_system(async {
        let (model, running) = start(Duration::from_millis(200), 5).await;
        finish_all(&running, 100).await;
        let stats = model.stats();
        running.server.stop();
        model.stop().await;
        let at_five = stats.running_ms.get(&5).copied().unwrap_or(0.0);
        eprintln!("slots: milliseconds at each level of concurrency: {:?}", stats.running_ms);
        let peak = (f64::from(u32::try_from(stats.peak_running).unwrap_or(u32::MAX)), "at once");
        vec![
            Figure::new(
                "slots_peak",
                "100 chat jobs in a queue with max_running = 5: most calls at once",
                peak,
                (5.0, "max_running"),
                Some(Goal::AtMost(1.0)),
            ),
            Figure::new(
                "slots_kept",
                "the same: time with exactly five calls at once",
                (at_five, "ms"),
                (stats.span_ms, "the whole time, ms"),
                Some(Goal::AtLeast(0.9)),
            ),
        ]
    })
}

/// Starts a model server with this delay, and a server whose chat queue has this `max_running`.
pub async fn start(delay: Duration, max_running: u32) -> (MockLlm, Running) {
    let model = mock_llm::start(Options { delay, ..Options::default() })
        .await
        .expect("the model server starts");
    let provider = ProviderConfig::new(model.base_url());
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
    running
        .handle()
        .configure(QUEUE.parse().expect("a valid name"), limit)
        .await
        .expect("the queue is configured");
    (model, running)
}

/// Submits chat jobs as one batch and waits until all are completed.
pub async fn finish_all(running: &Running, jobs: usize) {
    let handle = running.handle();
    let batch = handle.submit_batch(None, vec![chat_job(); jobs], None).await.expect("submitted");
    let id = batch.value.batch.id;
    let batch = handle.wait_batch(id, Duration::from_secs(60)).await.expect("the batch is read");
    assert_eq!(batch.counts.completed, jobs as i64, "{batch:?}");
}

/// Returns a chat job for the queue [`QUEUE`].
pub fn chat_job() -> Submission {
    let payload = serde_json::json!({
        "model": "mock",
        "messages": [{"role": "user", "content": "Tell me a joke"}],
    });
    let submission = Submission::new("chat", &payload).expect("JSON");
    Submission { queue: Some(QUEUE.into()), ..submission }
}
