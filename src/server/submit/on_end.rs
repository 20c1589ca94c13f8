//! Checks of what happens when a job or batch ends.

use crate::job::problem::Problem;
use crate::job::submission::on_end::OnEnd;
use crate::job::submission::on_end::callback::{Callback, CallbackOwner};
use crate::job::submission::on_end::follow_up::{FollowUp, MAX_CHAIN, RelativeTimes};
use crate::job::submission::on_end::reference::{self, Source};
use crate::job::{NewJob, ProviderName, Submission, Timestamp};
use crate::server::handle::Handle;

/// Place of a submission in a chain of follow-up jobs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chain {
    /// Number of jobs and batches before it.
    len: usize,
    /// What its references refer to; `None` if nothing is before it.
    source: Option<Source>,
}

impl Chain {
    fn after(self, source: Source) -> Self {
        Self { len: self.len + 1, source: Some(source) }
    }
}

impl Handle {
    /// Returns the default webhook of a job's queue, or else of its kind.
    pub(super) fn default_callback(&self, job: &NewJob) -> Option<Callback> {
        let defaults = &self.config().callbacks;
        let of_queue = defaults.queues.get(&job.queue);
        of_queue.or_else(|| defaults.kinds.get(job.kind.as_str())).cloned()
    }

    /// Checks what happens when a job ends, with its own webhook and the default one.
    pub(super) fn check_end_of_job(
        &self,
        (callback, default): (Option<Callback>, Option<Callback>),
        then: Option<Box<Submission>>,
        now: Timestamp,
        chain: Chain,
    ) -> Result<Option<Box<OnEnd>>, Vec<Problem>> {
        let owner = (CallbackOwner::Job, Source::Job);
        let then = self.check_end(callback.as_ref(), then, owner, now, chain)?;
        // The default webhook was checked with the configuration, and is no fault of the client.
        Ok(OnEnd::new(callback.or(default), then))
    }

    /// Checks what happens when a batch ends.
    pub(super) fn check_end_of_batch(
        &self,
        callback: Option<Callback>,
        then: Option<Box<Submission>>,
        now: Timestamp,
    ) -> Result<Option<Box<OnEnd>>, Vec<Problem>> {
        let owner = (CallbackOwner::Batch, Source::Batch);
        let then = self.check_end(callback.as_ref(), then, owner, now, Chain::default())?;
        Ok(OnEnd::new(callback, then))
    }

    /// Checks a webhook and a follow-up job, and returns the latter.
    fn check_end(
        &self,
        callback: Option<&Callback>,
        then: Option<Box<Submission>>,
        (owner, source): (CallbackOwner, Source),
        now: Timestamp,
        chain: Chain,
    ) -> Result<Option<FollowUp>, Vec<Problem>> {
        let mut problems = Vec::new();
        if let Some(callback) = callback {
            let found = self.registry().check_callback(callback, owner);
            problems.extend(found.into_iter().map(|problem| problem.under("/callback")));
        }
        let then = match then.map(|then| self.check_then(*then, source, now, chain)).transpose() {
            Ok(then) => then,
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| problem.under("/then")));
                None
            }
        };
        if problems.is_empty() { Ok(then) } else { Err(problems) }
    }

    fn check_then(
        &self,
        then: Submission,
        source: Source,
        now: Timestamp,
        chain: Chain,
    ) -> Result<FollowUp, Vec<Problem>> {
        let chain = chain.after(source);
        if chain.len > MAX_CHAIN {
            let why = format!("a chain may have at most {MAX_CHAIN} follow-up jobs");
            return Err(vec![Problem::new("", why)]);
        }
        let times = RelativeTimes { delay: then.delay, expires_in: then.expires_in };
        let job = self.check_in_chain(then, now, chain)?;
        FollowUp::new(job, times, source).map_err(|problem| vec![problem.under("/payload")])
    }

    /// Checks the payload by the kind's own rules, and returns the provider that the job calls.
    ///
    /// What a reference will be replaced by is not known yet, so problems at the place of a reference are
    /// found when the job runs.
    pub(super) fn check_payload(
        &self,
        submission: &Submission,
        chain: Chain,
    ) -> Result<Option<ProviderName>, Vec<Problem>> {
        let Submission { kind, payload, .. } = submission;
        let under_payload = |problem: Problem| problem.under("/payload");
        let references = chain.source.map(|source| reference::find(payload, source)).transpose();
        let references = references.map_err(|problem| vec![under_payload(problem)])?;
        let incomplete = references.as_deref().filter(|references| !references.is_empty());
        let provider = incomplete
            .map(|references| self.registry().provider_of_incomplete(kind, payload, references))
            .transpose()
            .map_err(|problem| vec![under_payload(problem)])?;
        match (self.registry().check(kind, payload), references) {
            (Err(problems), Some(references)) if !references.is_empty() => {
                let is_open = |problem: &Problem| {
                    references.iter().any(|place| is_related(place, &problem.pointer))
                };
                let known: Vec<_> =
                    problems.into_iter().filter(|problem| !is_open(problem)).collect();
                if known.is_empty() {
                    return Ok(provider.flatten());
                }
                Err(known.into_iter().map(under_payload).collect())
            }
            (checked, _) => {
                checked.map_err(|problems| problems.into_iter().map(under_payload).collect())
            }
        }
    }
}

/// Returns whether one of two places, given as JSON pointers, is the other or contains it.
fn is_related(a: &str, b: &str) -> bool {
    let contains = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    contains(a, b) || contains(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_related_to_itself_to_what_contains_it_and_to_what_it_contains() {
        for (a, b, expected) in [
            ("/url", "/url", true),
            ("/url", "/url/x", true),
            ("", "/url", true),
            ("/headers/a", "/headers", true),
            ("/url", "/urls", false),
            ("/a/b", "/a/c", false),
        ] {
            assert_eq!(is_related(a, b), expected, "{a} {b}");
            assert_eq!(is_related(b, a), expected, "{b} {a}");
        }
    }
}
