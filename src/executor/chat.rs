//! Jobs of the kind `chat`: a call to a model server with an OpenAI-style chat-completions API.
//!
//! The payload is the body of the call with an additional field `provider`. The result is the whole
//! body of the response. The limits of a provider are applied before a job is leased, so an attempt never
//! waits for them.

mod answer;
mod answer_text;
mod reported_error;
mod request;

use std::sync::Arc;

use awc::http::Method;
use awc::http::header::{CONTENT_TYPE, HeaderValue};

use crate::executor::attempt::{bad_payload, until_stopped};
use crate::executor::context::Context;
use crate::executor::outbound::{Call, Outbound, PartialResponse};
use crate::executor::provider::Providers;
use crate::job::{Json, ProviderName};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use request::ChatRequest;

/// Runs the jobs of the kind `chat`.
pub struct Chat {
    outbound: Arc<Outbound>,
    providers: Arc<Providers>,
}

impl Chat {
    /// Creates the executor.
    pub(super) fn new(outbound: Arc<Outbound>, providers: Arc<Providers>) -> Self {
        Self { outbound, providers }
    }

    /// Checks a payload, and returns the provider that its job calls.
    ///
    /// # Errors
    /// Returns the problems of the payload.
    pub(super) fn check(&self, payload: &Json) -> Result<ProviderName, Vec<Problem>> {
        ChatRequest::read(payload, &self.providers, None).map(|request| request.provider.name.clone())
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match ChatRequest::read(payload, &self.providers, context.provider()) {
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
        let call = request_call(request).identify(payload, context);
        match self.outbound.call(call, max_bytes, context.deadline(), partial).await {
            Ok(response) => answer::outcome(&response, max_bytes),
            Err(outcome) => outcome,
        }
    }
}

/// Returns the chat-completions call of a request.
fn request_call(request: &ChatRequest<'_>) -> Call {
    let provider = request.provider;
    let mut headers = Vec::new();
    provider.add_headers(&mut headers);
    if !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    Call {
        method: Method::POST,
        target: provider.chat_target.clone(),
        headers,
        credentials: provider.key().cloned().into_iter().collect(),
        body: request.body.clone(),
    }
}
