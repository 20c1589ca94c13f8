//! Single durable submissions over HTTP.

use std::time::Duration;

use longshore::config::Config;
use longshore::job::queue::QueueChange;

use crate::load::{calls_per_second, post};
use crate::report::{Figure, Goal};
use crate::server;

const CONNECTIONS: usize = 64;
const SPAN: Duration = Duration::from_secs(5);
const BODY: &str = r#"{"kind":"echo","queue":"bench","payload":{"user":42,"text":"hello"}}"#;

/// The queue is paused: only what submitting costs is measured.
pub fn run() -> Vec<Figure> {
    server::in_system(async {
        let running = server::start(Config::default());
        let pause = QueueChange { paused: Some(true), ..QueueChange::default() };
        let queue = "bench".parse().expect("a name");
        running.handle().configure(queue, pause).await.expect("it is paused");
        let addr = running.addr;
        let call = move |path: &str, span| {
            let request = post(path, "application/json", BODY);
            move || calls_per_second(addr, CONNECTIONS, &request, 202, span)
        };
        server::beside(call("/empty", Duration::from_secs(1))).await;
        let empty = server::beside(call("/empty", SPAN)).await;
        let parse = server::beside(call("/parse", SPAN)).await;
        let submitted = server::beside(call("/v1/jobs", SPAN)).await;
        running.server.stop();
        vec![
            Figure::new(
                "submit",
                "single submissions over HTTP, 64 connections",
                (submitted, "jobs/s"),
                (empty, "an empty JSON handler of the same server"),
                Some(Goal::AtLeast(0.4)),
            ),
            Figure::new(
                "submit_parse",
                "the same",
                (submitted, "jobs/s"),
                (parse, "a handler that parses the same body"),
                None,
            ),
        ]
    })
}
