//! Jobs of the kind `command`.

use crate::config::Config;
use crate::executor::context::Context;
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

/// Runs the jobs of the kind `command`.
pub struct Command;

impl Command {
    pub(super) fn new(_config: &Config) -> Self {
        Self
    }

    pub(super) fn check(&self, _payload: &Json) -> Vec<Problem> {
        Vec::new()
    }

    pub(super) async fn run(&self, _payload: &Json, _context: &Context) -> Outcome {
        Outcome::fatal("not_built", "command jobs are not built yet")
    }
}
