//! The payload of a `chat` job.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::executor::chat::provider::Provider;
use crate::job::Json;
use crate::job::problem::{Problem, Quoted};

/// A valid request of a `chat` job.
pub(super) struct ChatRequest<'a> {
    /// Model server to call.
    pub(super) provider: &'a Provider,
    /// Body of the call: the payload without `provider`.
    pub(super) body: Bytes,
}

impl<'a> ChatRequest<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// Returns all problems of the payload, each with a JSON pointer into it.
    pub(super) fn read(
        payload: &Json,
        providers: &'a BTreeMap<String, Provider>,
    ) -> Result<Self, Vec<Problem>> {
        let mut fields: BTreeMap<String, Json> = payload.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let provider = provider(fields.remove("provider").as_ref(), providers, &mut problems);
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

/// Returns the provider that the payload names, or the only provider if it names none.
fn provider<'a>(
    named: Option<&Json>,
    providers: &'a BTreeMap<String, Provider>,
    problems: &mut Vec<Problem>,
) -> Option<&'a Provider> {
    let found = match (named.map(Json::read::<String>), providers.values().next()) {
        (Some(Ok(name)), _) => match providers.get(&name) {
            Some(provider) => Ok(provider),
            None => {
                let (name, known) = (Quoted(&name), configured(providers));
                Err(format!("provider {name} does not exist; {known}"))
            }
        },
        (Some(Err(problem)), _) => Err(problem.detail),
        (None, Some(only)) if providers.len() == 1 => Ok(only),
        (None, _) => Err(format!("is required; {}", configured(providers))),
    };
    found.map_err(|why| problems.push(Problem::new("/provider", why))).ok()
}

fn configured(providers: &BTreeMap<String, Provider>) -> String {
    if providers.is_empty() {
        return "no provider is configured".into();
    }
    let names: Vec<&str> = providers.keys().map(String::as_str).collect();
    format!("configured providers: {}", names.join(", "))
}
