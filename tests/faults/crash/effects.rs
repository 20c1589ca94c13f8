//! A server that counts what jobs do to the world.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::kit::target::Target;

/// How long an effect takes before its caller knows, so that a kill can fall between.
const ANSWER_AFTER: Duration = Duration::from_millis(15);

/// Calls by name.
pub(super) struct Effects {
    target: Target,
    calls: Arc<Mutex<HashMap<String, u32>>>,
}

impl Effects {
    pub(super) fn start() -> Self {
        let calls: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let counted = Arc::clone(&calls);
        let target = Target::start(move |caller, request| {
            let name = request.path.trim_start_matches('/').to_owned();
            *counted.lock().unwrap().entry(name).or_default() += 1;
            std::thread::sleep(ANSWER_AFTER);
            caller.answer("200 OK", "", "{}");
        });
        Self { target, calls }
    }

    /// Where the effect with this name is had.
    pub(super) fn url(&self, name: &str) -> String {
        self.target.url(&format!("/{name}"))
    }

    /// How often it was had.
    pub(super) fn of(&self, name: &str) -> u32 {
        self.calls.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}
