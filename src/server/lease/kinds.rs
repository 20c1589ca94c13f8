//! Kinds that remote workers make known by asking for jobs of them.

use std::collections::BTreeMap;

use crate::api::kinds::KindEntry;
use crate::job::problem::Problem;
use crate::job::problem::bounded_list::bounded_list;
use crate::job::{Kind, Lane, QueueName, Submission};
use crate::roster::LeaseFilter;
use crate::server::handle::Handle;
use crate::server::lease::near_names::nearest_first;
use crate::store::Write;

/// Maximum length of the list of known kinds in the problem of an unknown one, in bytes.
const MAX_LISTED_BYTES: usize = 120;

impl Handle {
    /// Makes each kind known for which a worker asks. Only new kinds, and each kind once an hour, are stored.
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
        if !self.access().allows(&queue) {
            // The submission is refused because of its queue, whatever its kind. So it does not show which
            // kinds are known there.
            return Ok(Lane::Remote);
        }
        let learned = &self.connections().learned_kinds;
        if learned.with(|kinds| kinds.knows(kind, &queue, self.now())) {
            return Lane::Remote.check_requested(kind, *lane);
        }
        Err(self.unknown_kind(kind, &queue))
    }

    fn unknown_kind(&self, kind: &str, queue: &QueueName) -> Problem {
        let learned = &self.connections().learned_kinds;
        let (in_queue, visible) = learned.with(|kinds| {
            let visible = kinds.visible(self.access(), self.now());
            (kinds.in_queue(queue, self.now()), visible)
        });
        let mut known = self.registry().kinds();
        known.extend(in_queue.into_iter().map(String::from));
        known.sort_unstable();
        known.dedup();
        let known = bounded_list(&nearest_first(known, kind), MAX_LISTED_BYTES);
        let why = match visible.keys().any(|known| known.as_str() == kind) {
            true => format!(
                "is not known in queue \"{queue}\"; no worker with access to that queue has asked for it; \
                 set \"lane\": \"remote\" to submit first; known kinds: {known}"
            ),
            false => format!(
                "is not a known kind; start a worker that leases it, or set \"lane\": \"remote\" to \
                 submit first; known kinds: {known}"
            ),
        };
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
