//! A server that `http` jobs call and that records each call as an effect.

use std::time::Duration;

use crate::history::{Event, Recorder};
use crate::kit::http::Target;

/// Time between an effect and its answer, so that a fault can happen in between.
const ANSWER_AFTER: Duration = Duration::from_millis(15);

/// Starts the server.
pub(super) fn start(recorder: Recorder) -> Target {
    Target::start(move |caller, request| {
        let number = |name: &str| request.header(name).and_then(|text| text.parse().ok());
        let job = number("longshore-job").unwrap_or_else(|| panic!("no job header: {request:?}"));
        let attempt = number("longshore-attempt");
        recorder.record(&Event::Effect { job, token: None, attempt });
        std::thread::sleep(ANSWER_AFTER);
        caller.answer("200 OK", "", "{}");
    })
}
