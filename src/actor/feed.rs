//! What one who listens to all jobs has not heard yet: bounded, each job once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::job::{JobId, QueueName};

/// How many jobs may be unheard. Past it the oldest are lost, and that is told.
const MAX_UNHEARD: usize = 256;

/// What a listener has not heard yet. The Announcer adds, the listener takes.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Only jobs of this queue.
    queue: Option<QueueName>,
    unheard: Mutex<Unheard>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Unheard {
    jobs: VecDeque<JobId>,
    known: HashSet<JobId>,
    lost: u64,
}

impl Feed {
    pub(crate) fn new(queue: Option<QueueName>) -> Self {
        Self { queue, ..Self::default() }
    }

    /// Adds jobs with their queues.
    pub(crate) fn add<'a>(&self, jobs: impl Iterator<Item = (JobId, &'a QueueName)>) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_news = false;
        for (job, queue) in jobs {
            if self.queue.as_ref().is_none_or(|own| own == queue) {
                is_news = true;
                unheard.add(job);
            }
        }
        drop(unheard);
        if is_news {
            self.notify.notify_one();
        }
    }

    /// Waits until there is something.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// What has come, oldest first, and how much was lost.
    pub(crate) fn take(&self) -> (Vec<JobId>, u64) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        unheard.known.clear();
        let jobs = std::mem::take(&mut unheard.jobs).into();
        (jobs, std::mem::take(&mut unheard.lost))
    }
}

impl Unheard {
    fn add(&mut self, job: JobId) {
        if !self.known.insert(job) {
            return;
        }
        self.jobs.push_back(job);
        if self.jobs.len() > MAX_UNHEARD
            && let Some(oldest) = self.jobs.pop_front()
        {
            self.known.remove(&oldest);
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
    fn a_job_that_moves_often_is_there_once() {
        let feed = Feed::new(None);
        add(&feed, [1, 2, 1, 1], "mail");
        assert_eq!(feed.take(), (vec![JobId(1), JobId(2)], 0));
        add(&feed, [1], "mail");
        assert_eq!(feed.take(), (vec![JobId(1)], 0));
    }

    #[test]
    fn past_the_bound_the_oldest_are_lost_and_counted() {
        let feed = Feed::new(None);
        add(&feed, 0..MAX_UNHEARD as i64 + 3, "mail");
        let (jobs, lost) = feed.take();
        assert_eq!((jobs.len(), jobs[0], lost), (MAX_UNHEARD, JobId(3), 3));
        assert_eq!(feed.take(), (Vec::new(), 0));
    }

    #[test]
    fn jobs_of_other_queues_are_left_out() {
        let feed = Feed::new(Some("mail".parse().unwrap()));
        add(&feed, [1], "mail");
        add(&feed, 2..1_000, "bulk");
        assert_eq!(feed.take(), (vec![JobId(1)], 0));
    }
}
