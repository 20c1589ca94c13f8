//! Kinds that remote workers make known by asking for jobs of them.

use std::collections::BTreeMap;

use crate::api::kinds::KindEntry;
use crate::job::problem::Problem;
use crate::job::{Kind, Lane, QueueName, Submission};
use crate::roster::LeaseFilter;
use crate::server::handle::Handle;
use crate::store::Write;

/// Maximum length of the list of known kinds in the problem of an unknown one, in bytes.
const MAX_LISTED_BYTES: usize = 120;

impl Handle {
    /// Makes the kinds known that a worker asks for. Only new kinds, and each kind once an hour, are stored.
    /// Kinds that run in this process are left out.
    pub(super) async fn learn_kinds(&self, filter: &LeaseFilter) {
        let asked = filter.kinds.iter().flat_map(|kinds| kinds.iter().map(String::as_str));
        let asked: Vec<&str> = asked.filter(|kind| !self.registry().runs_here(kind)).collect();
        let (learned, queues) = (&self.connections().learned_kinds, self.access());
        let now = self.now();
        if asked.is_empty() || !learned.with(|kinds| kinds.touch(&asked, queues, now)) {
            return;
        }
        let _turn = learned.start_change().await;
        let changes = learned.with(|kinds| kinds.learn(&asked, queues, now));
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.write(Write::LearnKinds(changes.clone()), 0).await {
            // The kinds are known until the server stops, and stored with a later request.
            tracing::debug!(%error, "the kinds of a remote worker could not be stored");
            learned.with(|kinds| kinds.store_later(changes, now));
        }
    }

    /// Returns the lane that runs a job.
    ///
    /// # Errors
    /// Returns a [`Problem`] if the kind is not known, is not a valid name, or does not run in the lane that
    /// the submission names.
    pub(in crate::server) fn lane_of(&self, submission: &Submission) -> Result<Lane, Problem> {
        let Submission { kind, lane, queue, .. } = submission;
        if let Some(lane) = self.registry().lane_of(kind, *lane)? {
            return Ok(lane);
        }
        let queue: QueueName = match queue {
            // The problem of an invalid name is that of the queue.
            Some(queue) => queue.parse().unwrap_or_default(),
            None => QueueName::default(),
        };
        let learned = &self.connections().learned_kinds;
        // What other queues know must not show.
        let is_known = self.access().allows(&queue)
            && learned.with(|kinds| kinds.knows(kind, &queue, self.now()));
        if is_known { Lane::Remote.check_requested(kind, *lane) } else { Err(self.unknown_kind()) }
    }

    fn unknown_kind(&self) -> Problem {
        let known = bounded_list(&self.kinds(), MAX_LISTED_BYTES);
        let why = format!(
            "is not a known kind; start a worker that leases it, or set \"lane\": \"remote\" to submit \
             first; known kinds: {known}"
        );
        Problem::new("/kind", why)
    }

    /// Returns the names of the known kinds, sorted. See [`Handle::known_kinds`].
    pub fn kinds(&self) -> Vec<String> {
        self.known_kinds().into_iter().map(|entry| entry.kind.into()).collect()
    }

    /// Returns the kinds that may be submitted without naming a lane, sorted: those that run in this process,
    /// those of `remote_kinds`, and those for which remote workers have asked, in the queues that the
    /// principal may use.
    pub fn known_kinds(&self) -> Vec<KindEntry> {
        let entry = |kind: Kind, lane| KindEntry { kind, lane, last_asked_at: None };
        let configured = self.registry().kinds_with_lanes().into_iter();
        let configured = configured.map(|(kind, lane)| (kind.clone(), entry(kind, lane)));
        let mut known: BTreeMap<Kind, KindEntry> = configured.collect();
        let learned = &self.connections().learned_kinds;
        let learned = learned.with(|kinds| kinds.visible(self.access(), self.now()));
        for (kind, asked_at) in learned {
            // A kind that was learned by an earlier start may run in this process now.
            if !self.registry().runs_here(kind.as_str()) {
                let new = || entry(kind.clone(), Lane::Remote);
                known.entry(kind.clone()).or_insert_with(new).last_asked_at = Some(asked_at);
            }
        }
        known.into_values().collect()
    }
}

/// Returns the first names of a list, and the number of the others.
pub(crate) fn bounded_list(names: &[String], max_bytes: usize) -> String {
    let mut list = String::new();
    for (index, name) in names.iter().enumerate() {
        if !list.is_empty() && list.len() + name.len() > max_bytes {
            return format!("{list} and {} more", names.len() - index);
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(name);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_says_how_many_names_are_missing() {
        let names = ["aaaa", "bbbb", "cccc"].map(String::from);
        assert_eq!(bounded_list(&names, 100), "aaaa, bbbb, cccc");
        assert_eq!(bounded_list(&names, 10), "aaaa, bbbb and 1 more");
        assert_eq!(bounded_list(&names, 1), "aaaa and 2 more");
        assert_eq!(bounded_list(&[], 1), "");
    }
}
