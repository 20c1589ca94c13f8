//! Jobs of the kind `http`: a call to another HTTP server.
//!
//! The payload is `{url, method?, headers?, body?, body_base64?}`, and the result is
//! `{status, headers, body}`. A 2xx status completes the job. After 408, 425, 429, 5xx and connection
//! errors the job is retried. Any other status fails the job at once, including a redirect.

mod request;
mod result;

use crate::config::Config;
use crate::executor::attempt::{bad_payload, until_stopped};
use crate::executor::context::Context;
use crate::executor::outbound::{Outbound, OutboundError, OwnAddresses, PartialResponse};
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use request::HttpRequest;

/// Runs the jobs of the kind `http`.
pub struct Http {
    outbound: Outbound,
}

impl Http {
    pub(super) fn new(config: &Config, own: OwnAddresses) -> Result<Self, OutboundError> {
        Ok(Self { outbound: Outbound::new(&config.outbound, own)? })
    }

    /// Returns the problems of a payload.
    pub(super) fn check(&self, payload: &Json) -> Vec<Problem> {
        match HttpRequest::read(payload) {
            Ok(request) => {
                let allowed = self.outbound.check(request.target());
                allowed.err().map(|why| Problem::new("/url", why)).into_iter().collect()
            }
            Err(problems) => problems,
        }
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        match HttpRequest::read(payload) {
            Ok(request) => {
                let partial = PartialResponse::default();
                let call = self.call(request, payload, context, &partial);
                partial.explain(until_stopped(context, call).await)
            }
            Err(problems) => bad_payload(&problems),
        }
    }

    async fn call(
        &self,
        request: HttpRequest,
        payload: &Json,
        context: &Context,
        partial: &PartialResponse,
    ) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let call = request.into_call(payload, context);
        match self.outbound.call(call, max_bytes, context.deadline(), partial).await {
            Ok(response) if response.status.is_success() => result::outcome(&response, max_bytes),
            Ok(response) => response.refusal(response.has_temporary_status(), ""),
            Err(outcome) => outcome,
        }
    }
}
