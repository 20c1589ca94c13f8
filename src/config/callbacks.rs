//! Default webhooks of queues and kinds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::http_url::HttpUrl;
use crate::job::ProviderName;
use crate::job::problem::{Problem, escape};
use crate::job::queue::QueueName;
use crate::job::submission::on_end::callback::{
    self, CALLBACK_KIND, CALLBACK_QUEUE, Callback, CallbackOwner,
};

/// Webhooks of jobs that are submitted without a `callback`. The webhook of the queue takes precedence
/// over that of the kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table with queues and kinds")]
pub struct CallbacksConfig {
    /// Webhooks of the jobs of these queues.
    pub queues: BTreeMap<QueueName, Callback>,
    /// Webhooks of the jobs of these kinds.
    pub kinds: BTreeMap<String, Callback>,
}

impl CallbacksConfig {
    /// Returns all webhooks, each with its table, `queues` or `kinds`, and its name there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &Callback)> {
        let of_queues =
            self.queues.iter().map(|(name, callback)| ("queues", name.as_str(), callback));
        let of_kinds = self.kinds.iter().map(|(name, callback)| ("kinds", name.as_str(), callback));
        of_queues.chain(of_kinds)
    }

    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let found = self.iter().flat_map(|(table, name, callback)| {
            let mut problems = callback.problems(CallbackOwner::Job);
            if [("queues", CALLBACK_QUEUE), ("kinds", CALLBACK_KIND)].contains(&(table, name)) {
                let why = "is for the deliveries of webhooks, which have no webhook themselves; remove it";
                problems.push(Problem::new("", why));
            }
            if let Err(why) = HttpUrl::parse(&callback.url) {
                problems.push(Problem::new("/url", why));
            }
            let place = format!("/{table}/{}", escape(name));
            problems.into_iter().map(move |problem| problem.under(&place)).collect::<Vec<_>>()
        });
        found.collect()
    }
}

/// Returns the group of the receiver at a URL, whose limit its deliveries share.
///
/// The group depends on the host alone: `https://a.example/x` and `http://a.example:8080/y` are in the
/// same one.
pub fn receiver_group(url: &str) -> Option<ProviderName> {
    callback::group_of(HttpUrl::parse(url).ok()?.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_webhook_is_checked_with_its_place() {
        let text = r#"{"queues": {"mail": {"url": "ftp://a"}},
            "kinds": {"chat": {"url": "https://a/", "events": ["batch.finished"]}}}"#;
        let config: CallbacksConfig = serde_json::from_str(text).unwrap();
        let pointers: Vec<_> = config.problems().into_iter().map(|found| found.pointer).collect();
        assert_eq!(pointers, ["/queues/mail/url", "/kinds/chat/events/0"]);
    }

    #[test]
    fn deliveries_have_no_default_webhook() {
        let text = r#"{"queues": {"callbacks": {"url": "http://a"}}, "kinds": {"callback": {"url": "http://a"}}}"#;
        let config: CallbacksConfig = serde_json::from_str(text).unwrap();
        let pointers: Vec<_> = config.problems().into_iter().map(|found| found.pointer).collect();
        assert_eq!(pointers, ["/queues/callbacks", "/kinds/callback"]);
    }

    #[test]
    fn the_group_of_a_receiver_depends_on_its_host_alone() {
        let group = receiver_group("https://A.example/x");
        assert!(group.is_some());
        assert_eq!(receiver_group("http://a.example:8080/y?z"), group);
        assert_eq!(receiver_group("nowhere"), None);
    }
}
