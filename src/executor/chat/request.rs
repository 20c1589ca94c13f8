//! The payload of a `chat` job.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::executor::provider::{Provider, Providers};
use crate::job::problem::Problem;
use crate::job::{Json, ProviderName};

/// A valid request of a `chat` job.
pub(super) struct ChatRequest<'a> {
    /// Provider to call.
    pub(super) provider: &'a Provider,
    /// Body of the call: the payload without `provider`.
    pub(super) body: Bytes,
}

impl<'a> ChatRequest<'a> {
    /// Reads a payload. If it names no provider, it is for `submitted_for`, or else for the only one.
    ///
    /// # Errors
    /// Returns all problems of the payload, each with a JSON pointer into it.
    pub(super) fn read(
        payload: &Json,
        providers: &'a Providers,
        submitted_for: Option<&ProviderName>,
    ) -> Result<Self, Vec<Problem>> {
        let mut fields: BTreeMap<String, Json> = payload.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let provider = provider(fields.remove("provider").as_ref(), submitted_for, providers, &mut problems);
        match fields.get("messages").map(Json::read::<Vec<Json>>) {
            Some(Ok(messages)) if !messages.is_empty() => {}
            Some(_) => {
                problems.push(Problem::new("/messages", "must be a list with at least one message"))
            }
            None => problems.push(Problem::new("/messages", "is required")),
        }
        if fields.get("stream").is_some_and(|stream| stream.as_str() == "true") {
            let why = "must not be true: a job returns its whole result at the end";
            problems.push(Problem::new("/stream", why));
        }
        match (provider, Json::of(&fields)) {
            (Some(provider), Ok(body)) if problems.is_empty() => {
                Ok(Self { provider, body: Bytes::from(body.as_str().to_owned()) })
            }
            (_, Err(error)) => Err(vec![Problem::new("", error)]),
            _ => Err(problems),
        }
    }
}

/// Returns the provider that the payload names, or the one of the job, or the only one.
fn provider<'a>(
    named: Option<&Json>,
    submitted_for: Option<&ProviderName>,
    providers: &'a Providers,
    problems: &mut Vec<Problem>,
) -> Option<&'a Provider> {
    let found = match named.map(Json::read::<String>) {
        Some(Ok(name)) => providers.named(&name),
        Some(Err(problem)) => Err(problem.detail),
        None if let Some(name) = submitted_for => providers.named(name.as_str()),
        None => providers.only().ok_or_else(|| format!("is required; {}", providers.names())),
    };
    found.map_err(|why| problems.push(Problem::new("/provider", why))).ok()
}
