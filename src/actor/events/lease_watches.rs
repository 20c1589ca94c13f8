//! Watches of remote workers, by the jobs that they run.

use std::collections::HashMap;
use std::sync::Weak;

use tokio::sync::Notify;

use crate::actor::message::{UnwatchLeases, WatchLeases};
use crate::job::JobId;

/// Remote workers that wait until they should stop one of their jobs. A job has more than one if several
/// requests watch it.
#[derive(Debug, Default)]
pub(crate) struct LeaseWatches(HashMap<JobId, Vec<Weak<Notify>>>);

impl LeaseWatches {
    pub(crate) fn add(&mut self, WatchLeases { jobs, notify }: &WatchLeases) {
        for job in &**jobs {
            self.0.entry(*job).or_default().push(notify.clone());
        }
    }

    /// Removes a watch, and those that have gone away.
    pub(crate) fn remove(&mut self, UnwatchLeases { jobs, notify }: &UnwatchLeases) {
        for job in &**jobs {
            if let Some(watches) = self.0.get_mut(job) {
                watches.retain(|other| !other.ptr_eq(notify) && other.strong_count() > 0);
                if watches.is_empty() {
                    self.0.remove(job);
                }
            }
        }
    }

    /// Notifies the workers that run these jobs.
    pub(crate) fn notify(&self, jobs: &[JobId]) {
        for watch in jobs.iter().filter_map(|job| self.0.get(job)).flatten() {
            if let Some(notify) = watch.upgrade() {
                notify.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;

    fn watch(watches: &mut LeaseWatches, jobs: &[i64]) -> (Arc<Notify>, Arc<[JobId]>) {
        let notify = Arc::new(Notify::new());
        let jobs: Arc<[JobId]> = jobs.iter().copied().map(JobId).collect();
        watches.add(&WatchLeases { jobs: Arc::clone(&jobs), notify: Arc::downgrade(&notify) });
        (notify, jobs)
    }

    fn is_notified(notify: &Notify) -> bool {
        notify.notified().now_or_never().is_some()
    }

    #[test]
    fn a_watch_is_notified_of_its_own_jobs_until_it_is_removed() {
        let mut watches = LeaseWatches::default();
        let (first, jobs) = watch(&mut watches, &[1, 2]);
        let (second, others) = watch(&mut watches, &[2, 3]);
        watches.notify(&[JobId(1), JobId(9)]);
        assert_eq!((is_notified(&first), is_notified(&second)), (true, false));
        watches.remove(&UnwatchLeases { jobs, notify: Arc::downgrade(&first) });
        watches.notify(&[JobId(2)]);
        assert_eq!((is_notified(&first), is_notified(&second)), (false, true));
        watches.remove(&UnwatchLeases { jobs: others, notify: Arc::downgrade(&second) });
        assert!(watches.0.is_empty());
    }
}
