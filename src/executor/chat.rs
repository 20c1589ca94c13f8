//! Jobs of the kind `chat`: a call to a model server that speaks the OpenAI chat-completions form.
//!
//! The payload is the body of that call with `provider` beside it; the result is the whole answer.
//! How many calls run and start at once is the provider's limit, and holds over all threads. An
//! attempt that waits for its turn has not begun: its clock stands.

mod limits;
mod provider;
mod request;

use std::collections::BTreeMap;

use crate::config::Config;
use crate::executor::context::Context;
use crate::executor::encoded::{Body, encode};
use crate::executor::outbound::{Outbound, OutboundError};
use crate::executor::{bad_payload, until_stopped};
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;

use provider::Provider;
use request::Request;

pub use provider::ProviderError;

/// Runs the jobs of the kind `chat`.
pub struct Chat {
    outbound: Outbound,
    providers: BTreeMap<String, Provider>,
}

/// Why no `chat` jobs can be run.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// A provider cannot be called.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// No calls can be made at all.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

impl Chat {
    /// Reads the providers' keys.
    pub(super) fn new(config: &Config) -> Result<Self, ChatError> {
        let mut providers = BTreeMap::new();
        for (name, provider) in &config.providers {
            providers.insert(name.clone(), Provider::new(name, provider)?);
        }
        Ok(Self { outbound: Outbound::new(&config.outbound)?, providers })
    }

    /// What is wrong with a payload.
    pub(super) fn check(&self, payload: &Json) -> Vec<Problem> {
        Request::read(payload, &self.providers).err().unwrap_or_default()
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match Request::read(payload, &self.providers) {
            Ok(request) => request,
            Err(problems) => return bad_payload(&problems),
        };
        let _turn = tokio::select! {
            biased;
            reason = context.stopped() => return reason.outcome(context.timeout()),
            turn = request.provider.limits.turn() => turn,
        };
        until_stopped(context, self.call(&request, context)).await
    }

    async fn call(&self, request: &Request<'_>, context: &Context) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let call = request.provider.call(&request.body);
        match self.outbound.call(call, max_bytes).await {
            Ok(answer) => outcome(&answer.body, max_bytes),
            Err(outcome) => outcome,
        }
    }
}

/// The outcome of an answer: it is JSON that says something, or the beginning of what may have been.
fn outcome(body: &Body, max_bytes: usize) -> Outcome {
    if body.bytes.is_empty() {
        return Outcome::retryable("bad_answer", "the answer has no body");
    }
    if body.is_cut {
        let json = encode(body, false, max_bytes).json;
        return Outcome::Completed(JobResult { json, truncated: true });
    }
    match body.text().map(|text| Json::checked(text.trim())) {
        Some(Ok(json)) if json == Json::null() => {
            Outcome::retryable("bad_answer", "the answer is null")
        }
        Some(Ok(json)) => Outcome::Completed(JobResult::whole(json)),
        Some(Err(problem)) => {
            Outcome::retryable("bad_answer", format!("the answer is not JSON: {problem}"))
        }
        None => Outcome::retryable("bad_answer", "the answer is not UTF-8"),
    }
}
