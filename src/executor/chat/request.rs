//! The payload of a `chat` job.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::executor::chat::provider::Provider;
use crate::job::Json;
use crate::job::problem::Problem;

/// A request that passed every check.
pub(super) struct Request<'a> {
    /// The server that it goes to.
    pub(super) provider: &'a Provider,
    /// What is sent: the payload without `provider`.
    pub(super) body: Bytes,
}

impl<'a> Request<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// Every problem, with its place in the payload.
    pub(super) fn read(
        payload: &Json,
        providers: &'a BTreeMap<String, Provider>,
    ) -> Result<Self, Vec<Problem>> {
        let mut fields: BTreeMap<String, Json> = payload.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let provider = provider(fields.remove("provider").as_ref(), providers, &mut problems);
        match fields.get("messages").map(Json::read::<Vec<Json>>) {
            Some(Ok(messages)) if !messages.is_empty() => {}
            Some(_) => problems.push(Problem::new("/messages", "is a list of messages, not empty")),
            None => problems.push(Problem::new("/messages", "is missing")),
        }
        if fields.get("stream").is_some_and(|stream| stream.as_str() == "true") {
            let why = "cannot be true: a job has one result, at its end";
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

/// The provider that is meant: the one named, or the only one.
fn provider<'a>(
    named: Option<&Json>,
    providers: &'a BTreeMap<String, Provider>,
    problems: &mut Vec<Problem>,
) -> Option<&'a Provider> {
    let found = match (named.map(Json::read::<String>), providers.values().next()) {
        (Some(Ok(name)), _) => match providers.get(&name) {
            Some(provider) => Ok(provider),
            None => Err(format!("there is no provider {name:?}; {}", known(providers))),
        },
        (Some(Err(problem)), _) => Err(problem.detail),
        (None, Some(only)) if providers.len() == 1 => Ok(only),
        (None, _) => Err(format!("is missing; {}", known(providers))),
    };
    found.map_err(|why| problems.push(Problem::new("/provider", why))).ok()
}

fn known(providers: &BTreeMap<String, Provider>) -> String {
    if providers.is_empty() {
        return "no provider is configured".into();
    }
    let names: Vec<&str> = providers.keys().map(String::as_str).collect();
    format!("known are {}", names.join(", "))
}
