//! Subscription to one batch and to the ends of its jobs.
//!
//! The database holds the order in which the jobs of a batch ended. A subscriber reads on from its position, a
//! bounded part at a time, so nothing is missed however slow it is or how long it was away.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use crate::actor::message::Subject;
use crate::job::BatchId;
use crate::job::batch::Batch;
use crate::job::batch::result::BatchResult;
use crate::server::error::Error;
use crate::server::events::Subscription;
use crate::server::events::job::InvalidPosition;
use crate::server::handle::Handle;
use crate::store::{BatchUpdate, EndQuery};

/// Maximum number of ends that are read at once.
const MAX_ENDS: u32 = 200;

/// Number of bytes of results at which a part of the ends is complete.
const MAX_BYTES: usize = 256 << 10;

/// Event of a batch and its jobs.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchEvent {
    /// The batch has changed, or this is its first event.
    Batch(Box<Batch>),
    /// A job has ended. A job that is retried has another event when it ends again.
    Job(Box<BatchResult>),
}

/// Position in the event stream of a batch with its jobs: what a subscriber has seen of it.
///
/// Its text is the `id` of a server-sent event: the number of ends that were returned, and whether the batch had
/// ended. For example `17-open`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchPosition {
    /// Number of the last end that was returned.
    seq: i64,
    /// Whether the batch had ended.
    has_ended: bool,
}

/// Ends of the texts of positions.
const ENDED: &str = "ended";
const OPEN: &str = "open";

impl fmt::Display for BatchPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, if self.has_ended { ENDED } else { OPEN })
    }
}

impl FromStr for BatchPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (seq, end) = text.split_once('-').ok_or(InvalidPosition)?;
        let seq = seq.parse().ok().filter(|seq| *seq >= 0).ok_or(InvalidPosition)?;
        let has_ended = match end {
            ENDED => true,
            OPEN => false,
            _ => return Err(InvalidPosition),
        };
        Ok(Self { seq, has_ended })
    }
}

/// The stream of states of a batch and of the ends of its jobs, until the batch has ended.
pub struct BatchJobEvents {
    handle: Handle,
    id: BatchId,
    subscription: Subscription,
    position: BatchPosition,
    /// The state of the batch that was returned last.
    returned: Option<Batch>,
    /// Events that have been read and not returned yet, each with the position after it.
    ready: VecDeque<(BatchPosition, BatchEvent)>,
    /// Whether there are more ends than the last read returned.
    has_more: bool,
    has_ended: bool,
}

impl Handle {
    /// Subscribes to a batch and to the ends of its jobs, from a position on or from the first end. A position
    /// after the last end is not from this batch, or from a database that was restored since: the first end
    /// follows. Returns `None` if the batch has ended and there is nothing after the position.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist, and [`Error::Overloaded`] if there are too
    /// many subscribers already.
    pub async fn batch_job_events(
        &self,
        id: BatchId,
        position: Option<BatchPosition>,
    ) -> Result<Option<BatchJobEvents>, Error> {
        let subscription = self.subscribe(Subject::Batch(id))?;
        let mut events = BatchJobEvents {
            handle: self.clone(),
            id,
            subscription,
            position: position.unwrap_or_default(),
            returned: None,
            ready: VecDeque::new(),
            has_more: false,
            has_ended: false,
        };
        events.read().await?;
        let is_known = |position: &BatchPosition| position.seq <= events.position.seq;
        let has_seen_the_end = events.has_ended
            && position.filter(is_known).is_some_and(|position| position.has_ended);
        Ok((!has_seen_the_end || events.ready.len() > 1).then_some(events))
    }
}

impl BatchJobEvents {
    /// Returns the next event and the position after it; `None` after the end, or if the server stops.
    ///
    /// The future may be dropped at any time without losing an event.
    pub async fn next(&mut self) -> Option<(BatchPosition, BatchEvent)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            if !self.has_more && !self.subscription.changed(&self.handle).await {
                return None;
            }
            if let Err(error) = self.read().await {
                tracing::debug!(batch = %self.id, %error, "a subscription to a batch ends: it could not be read");
                return None;
            }
            if !self.has_more {
                self.subscription.mark_read();
            }
        }
    }

    /// Reads the batch and the next ends, and adds their events.
    async fn read(&mut self) -> Result<(), Error> {
        // No read permit is needed: the permit of the subscription covers its reads.
        let (after, limit, max_bytes) = (self.position.seq, MAX_ENDS, MAX_BYTES);
        let query = EndQuery { batch: self.id, after, limit, max_bytes };
        let update = self.handle.point_read(move |store, _| store.batch_update(&query)).await?;
        self.push_events(update.ok_or_else(|| Error::no_batch(self.id))?);
        Ok(())
    }

    /// Adds the events of an update. The end of the batch comes after those of all its jobs.
    fn push_events(&mut self, update: BatchUpdate) {
        let BatchUpdate { batch, ended, last, has_more } = update;
        let batch = self.handle.shown(batch);
        let is_over = batch.finished_at.is_some();
        let has_changed = self.returned.as_ref() != Some(&batch);
        if has_changed && !is_over {
            let event = BatchEvent::Batch(Box::new(batch.clone()));
            self.ready.push_back((BatchPosition { has_ended: false, ..self.position }, event));
        }
        for (seq, result) in ended {
            let position = BatchPosition { seq, has_ended: false };
            let result = Box::new(self.handle.shown(result));
            self.ready.push_back((position, BatchEvent::Job(result)));
        }
        self.has_more = has_more;
        self.has_ended = is_over && !has_more;
        self.position = BatchPosition { seq: last, has_ended: self.has_ended };
        if self.has_ended && has_changed {
            self.ready.push_back((self.position, BatchEvent::Batch(Box::new(batch.clone()))));
        }
        if self.has_ended || !is_over {
            self.returned = Some(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_text() {
        for (seq, has_ended, text) in [(0, false, "0-open"), (17, true, "17-ended")] {
            let position = BatchPosition { seq, has_ended };
            assert_eq!((position.to_string().as_str(), text.parse()), (text, Ok(position)));
        }
        for text in ["", "open", "-1-open", "1", "1-", "x-open", "1-open-2"] {
            assert_eq!(text.parse::<BatchPosition>(), Err(InvalidPosition), "{text}");
        }
    }
}
