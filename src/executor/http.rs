//! Jobs of the kind `http`: a call to another server.
//!
//! The payload is `{url, method?, headers?, body?, body_base64?}`, the result
//! `{status, headers, body}`. 2xx completes; 408, 425, 429, 5xx and a broken connection are tried
//! again; any other status fails at once, a redirect too.

mod request;
mod result;

use crate::config::Config;
use crate::executor::context::Context;
use crate::executor::outbound::{Outbound, OutboundError};
use crate::executor::{bad_payload, until_stopped};
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use request::Request;

pub(super) use request::check_uri;

/// Runs the jobs of the kind `http`.
pub struct Http {
    outbound: Outbound,
}

impl Http {
    pub(super) fn new(config: &Config) -> Result<Self, OutboundError> {
        Ok(Self { outbound: Outbound::new(&config.outbound)? })
    }

    /// What is wrong with a payload.
    pub(super) fn check(&self, payload: &Json) -> Vec<Problem> {
        Request::read(payload).err().unwrap_or_default()
    }

    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        match Request::read(payload) {
            Ok(request) => until_stopped(context, self.call(request, payload, context)).await,
            Err(problems) => bad_payload(&problems),
        }
    }

    async fn call(&self, request: Request, payload: &Json, context: &Context) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let call = request.into_call(payload, context);
        match self.outbound.call(call, max_bytes).await {
            Ok(answer) => result::outcome(&answer, max_bytes),
            Err(outcome) => outcome,
        }
    }
}
