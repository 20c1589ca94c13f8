//! Subscription to all jobs, or those of a queue or a kind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::actor::feed::Feed;
use crate::actor::message::{GetJobSummaries, SubscribeToAll};
use crate::actor::publisher::CountGuard;
use crate::actor::send;
use crate::job::{Job, JobId, QueueName};
use crate::server::error::Error;
use crate::server::handle::Handle;

/// The shortest time between two looks at the table. What moves more often meanwhile is told once.
const PAUSE: Duration = Duration::from_millis(250);

/// Which jobs to listen to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllFilter {
    /// Only those of this queue.
    pub queue: Option<QueueName>,
    /// Only those of this kind.
    pub kind: Option<String>,
}

/// What happened to some job.
#[derive(Debug, Clone, PartialEq)]
pub enum AllEvent {
    /// It moved, or told something of itself; this is how it stands now. Without payload and result.
    Job(Box<Job>),
    /// It was removed.
    Gone(JobId),
    /// At least so many jobs moved of which this listener is not told, for it was too slow.
    Lost(u64),
}

/// What happens to jobs from now on.
pub struct AllEvents {
    handle: Handle,
    filter: AllFilter,
    feed: Arc<Feed>,
    /// What was taken from the feed and is not read yet.
    taken: Vec<JobId>,
    ready: VecDeque<AllEvent>,
    next_at: Instant,
    _count: CountGuard,
    _permit: OwnedSemaphorePermit,
}

impl Handle {
    /// What happens to jobs from now on.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where [`MAX_FEEDS`](crate::server::MAX_FEEDS) listen already.
    pub fn events(&self, filter: AllFilter) -> Result<AllEvents, Error> {
        let permit = self.feed_permit()?;
        let connections = self.connections();
        let count = CountGuard::take(&connections.publisher.subscriber_counts.subscribers);
        let feed = Arc::new(Feed::new(filter.queue.clone()));
        if !send(&connections.announcer, SubscribeToAll(Arc::downgrade(&feed))) {
            return Err(Error::Stopped);
        }
        Ok(AllEvents {
            handle: self.clone(),
            filter,
            feed,
            taken: Vec::new(),
            ready: VecDeque::new(),
            next_at: Instant::now(),
            _count: count,
            _permit: permit,
        })
    }
}

impl AllEvents {
    /// The next event; none at the end. May be dropped in the middle without losing anything.
    pub async fn next(&mut self) -> Option<AllEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.taken.is_empty() {
                self.take().await?;
            }
            self.look().await?;
        }
    }

    /// Takes what has come. None where the server stops.
    async fn take(&mut self) -> Option<()> {
        loop {
            tokio::time::sleep_until(self.next_at).await;
            // Without a wait between, so that nothing is lost where this is dropped.
            let (jobs, lost) = self.feed.take();
            if lost > 0 {
                self.ready.push_back(AllEvent::Lost(lost));
            }
            if !jobs.is_empty() {
                self.taken = jobs;
                self.next_at = Instant::now() + PAUSE;
                return Some(());
            }
            tokio::select! {
                () = self.feed.notified() => {}
                () = self.handle.stopped() => return None,
            }
        }
    }

    async fn look(&mut self) -> Option<()> {
        // In turn, so that however many listen, lists and pages find the reader free. What moves
        // meanwhile comes together in the feed.
        let _turn = self.handle.feed_turn().await?;
        let lists = &self.handle.connections().list_reads;
        let jobs = self.handle.read(lists, GetJobSummaries(self.taken.clone())).await.ok()?;
        let mut jobs = jobs.into_iter().peekable();
        for id in std::mem::take(&mut self.taken) {
            // They come in the order in which they were asked for.
            match jobs.next_if(|job| job.id == id) {
                None => self.ready.push_back(AllEvent::Gone(id)),
                Some(job) if self.filter.takes(&job) => {
                    self.ready.push_back(AllEvent::Job(Box::new(job)));
                }
                Some(_) => {}
            }
        }
        Some(())
    }
}

impl AllFilter {
    fn takes(&self, job: &Job) -> bool {
        self.queue.as_ref().is_none_or(|queue| *queue == job.queue)
            && self.kind.as_ref().is_none_or(|kind| *kind == job.kind)
    }
}
