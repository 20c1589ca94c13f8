//! Jobs of the kind `callback`: deliveries of webhooks, which only the server submits.
//!
//! The payload has the URL, the name of the secret and the body. Each attempt sends the same body and the
//! same `webhook-id`, with a new `webhook-timestamp` and signature (Standard Webhooks 1.0). A 2xx status
//! completes the job and 410 ends it. After anything else it is retried by a schedule of its own.

use std::sync::Arc;

use awc::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use awc::http::{Method, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use crate::auth::webhook::{WebhookSecrets, signature};
use crate::clock::Clock;
use crate::executor::attempt::{bad_payload, until_stopped};
use crate::executor::context::Context;
use crate::executor::http::receiver_limit::ReceiverLimit;
use crate::executor::outbound::{
    ADDRESS_NOT_ALLOWED, CONNECTION, Call, Outbound, PartialResponse, Target,
};
use crate::job::submission::on_end::callback::{Callback, CallbackOwner};
use crate::job::submission::on_end::delivery::{Delivery, pause_after};
use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;
use crate::job::queue::QueueName;
use crate::job::{Json, Pause};

/// Runs the jobs of the kind `callback`.
pub struct CallbackExecutor {
    outbound: Arc<Outbound>,
    secrets: Arc<WebhookSecrets>,
    receivers: Arc<ReceiverLimit>,
}

/// Result of a delivered webhook.
#[derive(Serialize)]
struct Delivered {
    status: u16,
}

impl CallbackExecutor {
    /// Creates the executor, which calls each host at most `max_per_host` times at once.
    pub(in crate::executor) fn new(outbound: Arc<Outbound>, max_per_host: u32) -> Self {
        let receivers = Arc::new(ReceiverLimit::new(max_per_host));
        Self { outbound, secrets: Arc::default(), receivers }
    }

    /// Returns this executor with other secrets.
    pub(in crate::executor) fn with_secrets(&self, secrets: Arc<WebhookSecrets>) -> Self {
        let (outbound, receivers) = (Arc::clone(&self.outbound), Arc::clone(&self.receivers));
        Self { outbound, secrets, receivers }
    }

    /// Returns the problems of a webhook that a client asks for.
    pub(in crate::executor) fn check(&self, callback: &Callback, owner: CallbackOwner) -> Vec<Problem> {
        let mut problems = callback.problems(owner);
        if callback.is_disabled() {
            return problems;
        }
        match Target::parse(&callback.url) {
            Ok(target) => {
                let refused = self.outbound.check(&target).err();
                problems.extend(refused.map(|why| Problem::new("/url", why)));
            }
            Err(why) => problems.push(Problem::new("/url", why)),
        }
        if let Some(name) = &callback.secret
            && !self.secrets.exists(name)
        {
            let why = "does not exist; create it with 'longshore webhook secret create'";
            problems.push(Problem::new("/secret", why));
        }
        problems
    }

    /// Returns the problem of a webhook about jobs in these queues whose secret does not sign for one of them.
    pub(in crate::executor) fn check_queues<'q>(
        &self,
        callback: &Callback,
        mut queues: impl Iterator<Item = &'q QueueName>,
    ) -> Option<Problem> {
        let allowed = self.secrets.queues(callback.secret.as_ref()?)?;
        let queue = queues.find(|queue| !allowed.allows(queue))?;
        let why = format!(
            "does not sign webhooks of queue {queue}; 'longshore webhook secret list' shows the queues of each secret"
        );
        Some(Problem::new("/secret", why))
    }

    /// Returns whether the secret of a webhook signs for some queues only.
    pub(in crate::executor) fn is_bound(&self, callback: &Callback) -> bool {
        let queues = callback.secret.as_ref().and_then(|name| self.secrets.queues(name));
        queues.is_some_and(|queues| !queues.is_all())
    }

    pub(in crate::executor) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let outcome = match payload.read_objects::<Delivery>() {
            Ok(delivery) => {
                // Before the clock of the attempt starts. A URL that cannot be called fails below.
                let _permit = match Target::parse(&delivery.url) {
                    Ok(target) => match self.receivers.admit(target.url.host()).await {
                        Ok(permit) => Some(permit),
                        Err(busy) => return busy,
                    },
                    Err(_) => None,
                };
                let partial = PartialResponse::default();
                let sending = self.send(&delivery, payload, context, &partial);
                partial.explain(until_stopped(context, sending).await)
            }
            Err(problem) => bad_payload(&[problem]),
        };
        scheduled(outcome, context)
    }

    async fn send(
        &self,
        delivery: &Delivery,
        payload: &Json,
        context: &Context,
        partial: &PartialResponse,
    ) -> Outcome {
        let call = match self.call(delivery, context) {
            Ok(call) => call.identify(payload, context),
            Err(outcome) => return outcome,
        };
        match self.outbound.call_for_status(call, context.deadline(), partial).await {
            Ok(response) if response.status.is_success() => {
                match Json::of(&Delivered { status: response.status.as_u16() }) {
                    Ok(json) => Outcome::Completed(JobResult::whole(json)),
                    Err(error) => Outcome::fatal("bad_result", error),
                }
            }
            Ok(response) if response.status == StatusCode::GONE => {
                response.refusal(false, ", so the webhook is not sent again")
            }
            Ok(response) => response.refusal(true, ""),
            Err(outcome) => outcome,
        }
    }

    /// Returns the request with its signature.
    fn call(&self, delivery: &Delivery, context: &Context) -> Result<Call, Outcome> {
        let target = Target::parse(&delivery.url)
            .map_err(|why| bad_payload(&[Problem::new("/url", why)]))?;
        let body = Bytes::from(delivery.body.as_str().to_owned());
        let now = Clock::system().now();
        let (id, seconds) = (webhook_id(&body, context), now.millis() / 1_000);
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            header("webhook-id", &id)?,
            header("webhook-timestamp", &seconds.to_string())?,
        ];
        if let Some(name) = &delivery.secret {
            let secrets = self.secrets.current(name, now);
            if secrets.is_empty() {
                let why = format!(
                    "the webhook secret {name} does not exist; create it with 'longshore webhook secret create'"
                );
                return Err(Outcome::retryable("no_webhook_secret", why));
            }
            headers.push(header("webhook-signature", &signature(&secrets, &id, seconds, &body))?);
        }
        Ok(Call { method: Method::POST, target, headers, body, credentials: Vec::new() })
    }
}

fn header(name: &'static str, value: &str) -> Result<(HeaderName, HeaderValue), Outcome> {
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((HeaderName::from_static(name), value)),
        Err(error) => Err(Outcome::fatal("bad_payload", error)),
    }
}

/// Returns the id of a webhook, which is the same for every attempt. It contains a hash of the body, because
/// every database counts its jobs from 1.
fn webhook_id(body: &[u8], context: &Context) -> String {
    format!("msg_{}_{:08x}", context.job(), crc32fast::hash(body))
}

/// Returns an outcome whose pause, if it is retried, follows the schedule of webhooks. A longer pause that
/// the receiver asked for with `Retry-After` is followed.
fn scheduled(outcome: Outcome, context: &Context) -> Outcome {
    match outcome {
        // What an operator can correct, such as the settings of a proxy, ends no webhook.
        Outcome::Failed { error, retryable, retry_in, detail }
            if retryable || [CONNECTION, ADDRESS_NOT_ALLOWED].contains(&error.code.as_str()) =>
        {
            let pause = pause_after(context.attempt(), context.max_attempts(), context.job());
            let pause = retry_in.map_or(pause, |asked| asked.span().max(pause));
            Outcome::Failed {
                error,
                retryable: true,
                retry_in: Some(Pause::Exactly(pause)),
                detail,
            }
        }
        outcome => outcome,
    }
}
