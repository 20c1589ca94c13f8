//! Jobs of the kind `http`: a call to another HTTP server.
//!
//! The payload is `{url, method?, headers?, body?, body_base64?}`, with `provider` and `path` in place of `url`
//! for a call to a configured provider. The result is `{status, headers, body}`. A 2xx status completes the
//! job. After 408, 425, 429, 5xx and connection errors the job is retried. Any other status fails the job at
//! once, including a redirect.

mod bound_secrets;
mod callback;
mod headers;
mod receiver_limit;
mod request;
mod result;

use std::sync::Arc;

use crate::executor::attempt::{bad_payload, until_stopped};
use crate::executor::context::Context;
use crate::executor::outbound::{Outbound, PartialResponse};
use crate::executor::provider::{Providers, defer_if_busy};
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;
use crate::job::{Json, ProviderName};

use request::HttpRequest;

pub(super) use bound_secrets::BoundSecrets;
pub use bound_secrets::SecretError;
pub use callback::CallbackExecutor;

/// Runs the jobs of the kind `http`.
pub struct Http {
    outbound: Arc<Outbound>,
    providers: Arc<Providers>,
    secrets: BoundSecrets,
}

impl Http {
    /// Creates the executor.
    pub(super) fn new(
        outbound: Arc<Outbound>,
        providers: Arc<Providers>,
        secrets: BoundSecrets,
    ) -> Self {
        Self { outbound, providers, secrets }
    }

    /// Checks a payload, and returns the provider that its job calls, if it names one.
    ///
    /// # Errors
    /// Returns the problems of the payload.
    pub(super) fn check(&self, payload: &Json) -> Result<Option<ProviderName>, Vec<Problem>> {
        let request = self.read(payload)?;
        let pointer = if request.provider.is_some() { "/provider" } else { "/url" };
        self.outbound.check(request.target()).map_err(|why| vec![Problem::new(pointer, why)])?;
        Ok(request.provider.map(|provider| provider.name.clone()))
    }

    /// Reads a payload. What is read at submission is read again at the start, because the configuration may
    /// have changed.
    fn read(&self, payload: &Json) -> Result<HttpRequest<'_>, Vec<Problem>> {
        HttpRequest::read(payload, &self.providers, &self.secrets)
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match self.read(payload) {
            Ok(request) => request,
            Err(problems) => return bad_payload(&problems),
        };
        let provider = request.provider;
        // Before the clock of the attempt starts.
        let _permit = match provider {
            Some(_) => None,
            None => match self.outbound.admit(request.target()).await {
                Ok(permit) => Some(permit),
                Err(busy) => return busy,
            },
        };
        let partial = PartialResponse::default();
        let call = self.call(request, payload, context, &partial);
        let outcome = partial.explain(until_stopped(context, call).await);
        if let Some(provider) = provider {
            provider.refused_calls.count(&outcome);
        }
        outcome
    }

    async fn call(
        &self,
        request: HttpRequest<'_>,
        payload: &Json,
        context: &Context,
        partial: &PartialResponse,
    ) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let has_provider = request.provider.is_some();
        let call = request.into_call(payload, context);
        match self.outbound.call(call, max_bytes, context.deadline(), partial).await {
            Ok(response) if response.status.is_success() => result::outcome(&response, max_bytes),
            Ok(response) => {
                let outcome = response.refusal(response.has_temporary_status(), "");
                if has_provider { defer_if_busy(&response, outcome) } else { outcome }
            }
            Err(outcome) => outcome,
        }
    }
}
