//! The commit group as the Writer sees it: writes, each with the recipient of its answer.

use crate::actor::message::{Commit, Reply};
use crate::store::{Answer, LeaseRequest, Refusal, Write};

/// The writes of one transaction in the order in which they are applied, each with its reply.
pub(super) struct Group(Vec<Commit>);

impl Group {
    /// Forms a group of these writes, plain submissions first.
    ///
    /// The store inserts consecutive plain submissions together, and they depend on no earlier write.
    /// A submission with an idempotency key does: deleting a job frees its key.
    pub(super) fn new(mut commits: Vec<Commit>) -> Self {
        // A stable sort: plain submissions (false) before all others (true), otherwise as they arrived.
        commits.sort_by_key(|commit| commit.write.plain_submit().is_none());
        Self(commits)
    }

    /// Adds a request for leases that the roster ordered.
    pub(super) fn push_lease(&mut self, request: LeaseRequest) {
        let reply = Reply::Lease { order: request.order.clone(), duration: request.duration };
        self.0.push(Commit { write: Write::Lease(request), reply });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the group has submissions, which need most of the disk space.
    pub(super) fn has_submissions(&self) -> bool {
        self.0.iter().any(|commit| commit.write.submission().is_some())
    }

    /// Returns whether a transaction of this group shows that the database can be written again.
    ///
    /// Only a probe does. Other writes, such as a repeated submission or a staging without a due job,
    /// succeed on a full disk because they change nothing; and small ones that do change something may fit
    /// between large ones that fail, so that the state would change with every write. A probe is in the
    /// first transaction a second after a failure.
    pub(super) fn shows_that_writing_works(&self) -> bool {
        self.0.iter().any(|commit| matches!(commit.write, Write::Probe))
    }

    /// Returns whether the group has nothing but the leases that the roster planned.
    pub(super) fn has_only_leases(&self) -> bool {
        self.0.iter().all(|commit| matches!(commit.write, Write::Lease(_)))
    }

    pub(super) fn commits_mut(&mut self) -> &mut [Commit] {
        &mut self.0
    }

    pub(super) fn into_commits(self) -> Vec<Commit> {
        self.0
    }

    /// Returns the writes for the store.
    pub(super) fn writes(&self) -> Vec<&Write> {
        self.0.iter().map(|commit| &commit.write).collect()
    }

    /// Joins each reply with the store's answer to its write. The store answers in the order of
    /// [`Group::writes`].
    pub(super) fn answered(
        self,
        answers: Vec<Result<Answer, Refusal>>,
    ) -> impl Iterator<Item = (Reply, Result<Answer, Refusal>)> {
        self.0.into_iter().map(|commit| commit.reply).zip(answers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::job::{JobId, NewJob, Submission};
    use crate::job::{Lane, Timestamp};
    use crate::store::{SubmissionKey, Submit};

    fn submit(key: Option<&str>) -> Commit {
        let submission = Submission::new("echo", &1).unwrap();
        let job: NewJob =
            submission.check(Lane::Async, &Default::default(), Timestamp::from_millis(0)).unwrap();
        let key = key.map(|key| SubmissionKey::new(key.parse().unwrap(), [0; 32]));
        let write = Write::Submit(Submit { jobs: Arc::new([job]), key, batch: None });
        Commit { write, reply: Reply::Discard }
    }

    fn cancel(job: i64) -> Commit {
        Commit { write: Write::Cancel(JobId(job)), reply: Reply::Discard }
    }

    fn names(group: &Group) -> Vec<String> {
        let name = |write: &&Write| match write {
            Write::Submit(submit) if submit.key.is_some() => "keyed".to_owned(),
            Write::Submit(_) => "plain".to_owned(),
            Write::Cancel(job) => format!("cancel {job}"),
            write => panic!("{write:?}"),
        };
        group.writes().iter().map(name).collect()
    }

    #[test]
    fn plain_submissions_come_first_and_all_other_writes_stay_in_order() {
        let group =
            Group::new(vec![cancel(1), submit(Some("key")), submit(None), cancel(2), submit(None)]);
        assert_eq!(names(&group), ["plain", "plain", "cancel 1", "keyed", "cancel 2"]);
        assert!(group.has_submissions() && !Group::new(vec![cancel(1)]).has_submissions());
    }
}
