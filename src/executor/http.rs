//! Jobs of the kind `http`.

use crate::config::Config;
use crate::executor::context::Context;
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

/// Runs the jobs of the kind `http`.
pub struct Http;

impl Http {
    pub(super) fn new(_config: &Config) -> Result<Self, crate::executor::outbound::OutboundError> {
        Ok(Self)
    }

    pub(super) fn check(&self, _payload: &Json) -> Vec<Problem> {
        Vec::new()
    }

    pub(super) async fn run(&self, _payload: &Json, _context: &Context) -> Outcome {
        Outcome::fatal("not_built", "http jobs are not built yet")
    }
}
