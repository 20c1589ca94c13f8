//! A server that writes down what jobs do to the world.

use std::time::Duration;

use crate::history::{Event, Recorder};
use crate::kit::target::{Request, Target};

/// How long an effect takes before its caller knows, so that a fault can fall between.
const ANSWER_AFTER: Duration = Duration::from_millis(15);

/// Starts it.
pub(super) fn start(recorder: Recorder) -> Target {
    Target::start(move |caller, request| {
        let number = |name: &str| request.header(name).and_then(|text| text.parse().ok());
        let job = number("longshore-job").unwrap_or_else(|| panic!("{}", told(&request)));
        let attempt = number("longshore-attempt");
        recorder.record(&Event::Effect { job, token: None, attempt });
        std::thread::sleep(ANSWER_AFTER);
        caller.answer("200 OK", "", "{}");
    })
}

fn told(request: &Request) -> String {
    format!("a call says of which job it is: {request:?}")
}
