//! The feed of one subscriber to all jobs: the ids of jobs that changed, bounded, each id once.
//!
//! The Announcer adds ids and the subscriber takes them. A slow subscriber does not hold up the
//! Announcer: past the bound the oldest ids are dropped and counted.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::auth::access::QueueAccess;
use crate::job::{JobId, QueueName};

/// Maximum number of pending jobs. Past it the oldest are dropped and counted.
const MAX_PENDING: usize = 256;

/// The pending jobs of one subscriber, and the signal that wakes it.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Queue whose jobs are added; all queues if `None`.
    queue: Option<QueueName>,
    /// Queues that the subscriber may use.
    access: QueueAccess,
    pending: Mutex<PendingJobs>,
    notify: Notify,
}

/// Jobs that changed and that the subscriber has not taken yet.
#[derive(Debug, Default)]
struct PendingJobs {
    /// The ids in the order of their first change.
    jobs: VecDeque<JobId>,
    /// The same ids, for the check whether a job is pending already.
    ids: HashSet<JobId>,
    /// Number of ids dropped since the last take.
    lost: u64,
}

impl Feed {
    pub(crate) fn new(queue: Option<QueueName>, access: QueueAccess) -> Self {
        Self { queue, access, ..Self::default() }
    }

    /// Adds jobs, given with their queues, and wakes the subscriber if one of them matches.
    pub(crate) fn add<'a>(&self, jobs: impl Iterator<Item = (JobId, &'a QueueName)>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_match = false;
        for (job, queue) in jobs {
            if self.queue.as_ref().is_none_or(|own| own == queue) && self.access.allows(queue) {
                has_match = true;
                pending.add(job);
            }
        }
        drop(pending);
        if has_match {
            self.notify.notify_one();
        }
    }

    /// Waits until a job has been added since the last wait.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Takes the pending jobs, oldest first, and the number of jobs dropped since the last take.
    pub(crate) fn take(&self) -> (Vec<JobId>, u64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.ids.clear();
        let jobs = std::mem::take(&mut pending.jobs).into();
        (jobs, std::mem::take(&mut pending.lost))
    }
}

impl PendingJobs {
    fn add(&mut self, job: JobId) {
        if !self.ids.insert(job) {
            return;
        }
        self.jobs.push_back(job);
        if self.jobs.len() > MAX_PENDING
            && let Some(oldest) = self.jobs.pop_front()
        {
            self.ids.remove(&oldest);
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(feed: &Feed, jobs: impl IntoIterator<Item = i64>, queue: &str) {
        let queue = queue.parse().unwrap();
        feed.add(jobs.into_iter().map(|job| (JobId(job), &queue)));
    }

    #[test]
    fn a_job_that_changes_often_is_pending_once() {
        let feed = Feed::new(None, QueueAccess::All);
        add(&feed, [1, 2, 1, 1], "mail");
        assert_eq!(feed.take(), (vec![JobId(1), JobId(2)], 0));
        add(&feed, [1], "mail");
        assert_eq!(feed.take(), (vec![JobId(1)], 0));
    }

    #[test]
    fn past_the_bound_the_oldest_jobs_are_dropped_and_counted() {
        let feed = Feed::new(None, QueueAccess::All);
        add(&feed, 0..MAX_PENDING as i64 + 3, "mail");
        let (jobs, lost) = feed.take();
        assert_eq!((jobs.len(), jobs[0], lost), (MAX_PENDING, JobId(3), 3));
        assert_eq!(feed.take(), (Vec::new(), 0));
    }

    #[test]
    fn jobs_of_other_queues_are_ignored() {
        let mail = Feed::new(Some("mail".parse().unwrap()), QueueAccess::All);
        let allowed = Feed::new(None, QueueAccess::of(&["m*".parse().unwrap()]));
        for feed in [mail, allowed] {
            add(&feed, [1], "mail");
            add(&feed, 2..1_000, "bulk");
            assert_eq!(feed.take(), (vec![JobId(1)], 0));
        }
    }
}
