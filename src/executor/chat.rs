//! Jobs of the kind `chat`: a call to a model server with an OpenAI-style chat-completions API.
//!
//! The payload is the body of the call with an additional field `provider`. The result is the whole
//! body of the response. The limits of a provider are applied before a job is leased, so an attempt never
//! waits for them.

mod answer;
mod answer_text;
mod provider;
mod refused_calls;
mod reported_error;
mod request;

use std::collections::BTreeMap;

use crate::config::Config;
use crate::executor::attempt::{bad_payload, until_stopped};
use crate::executor::context::Context;
use crate::executor::outbound::{Outbound, OutboundError, OwnAddresses, PartialResponse};
use crate::job::{Json, ProviderName};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use provider::Provider;
use request::ChatRequest;

pub use provider::ProviderError;

/// Runs the jobs of the kind `chat`.
pub struct Chat {
    outbound: Outbound,
    providers: BTreeMap<String, Provider>,
}

/// Error when the executor of `chat` jobs is created.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// A provider cannot be called.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

impl Chat {
    /// Creates the executor and reads the providers' keys. No call reaches an address of `own`.
    pub(super) fn new(config: &Config, own: OwnAddresses) -> Result<Self, ChatError> {
        let mut providers = BTreeMap::new();
        for (name, provider) in &config.providers {
            providers.insert(name.clone(), Provider::new(name, provider)?);
        }
        Ok(Self { outbound: Outbound::new(&config.outbound, own)?, providers })
    }

    /// Checks a payload, and returns the provider that its job calls.
    ///
    /// # Errors
    /// Returns the problems of the payload.
    pub(super) fn check(&self, payload: &Json) -> Result<ProviderName, Vec<Problem>> {
        ChatRequest::read(payload, &self.providers).map(|request| request.provider.name.clone())
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match ChatRequest::read(payload, &self.providers) {
            Ok(request) => request,
            Err(problems) => return bad_payload(&problems),
        };
        let partial = PartialResponse::default();
        let call = self.call(&request, payload, context, &partial);
        let outcome = partial.explain(until_stopped(context, call).await);
        request.provider.refused_calls.count(&outcome);
        outcome
    }

    async fn call(
        &self,
        request: &ChatRequest<'_>,
        payload: &Json,
        context: &Context,
        partial: &PartialResponse,
    ) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let call = request.provider.call(&request.body).identify(payload, context);
        match self.outbound.call(call, max_bytes, context.deadline(), partial).await {
            Ok(response) => answer::outcome(&response, max_bytes),
            Err(outcome) => outcome,
        }
    }
}
