//! Jobs of the kind `chat`.

use crate::config::Config;
use crate::executor::context::Context;
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

/// Runs the jobs of the kind `chat`.
pub struct Chat;

impl Chat {
    pub(super) fn new(_config: &Config) -> Result<Self, ChatError> {
        Ok(Self)
    }

    pub(super) fn check(&self, _payload: &Json) -> Vec<Problem> {
        Vec::new()
    }

    pub(super) async fn run(&self, _payload: &Json, _context: &Context) -> Outcome {
        Outcome::fatal("not_built", "chat jobs are not built yet")
    }
}

/// Why a provider cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {}
