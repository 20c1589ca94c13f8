//! Forms of the event streams `/v1/events`, `/v1/jobs/{id}/events` and `/v1/batches/{id}/events`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::{JobId, Kind, QueueName};

/// Name of an event. It decides the form of the event's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    /// Stream of a job: its state changed. The data is a [`Job`](crate::job::Job).
    State,
    /// Stream of a job: an attempt failed. The data is a [`Failure`](crate::job::Failure).
    Failure,
    /// Stream of a job: new lines in its log. The data is a [`Log`](crate::job::Log).
    Log,
    /// Stream of a job: the attempt reported progress. The data is a
    /// [`Progress`](crate::job::Progress).
    Progress,
    /// Stream of a batch: its counts. The data is a [`Batch`](crate::job::batch::Batch).
    Batch,
    /// Stream of all jobs: a job changed. The data is a [`Job`](crate::job::Job). Stream of a batch with its jobs:
    /// a job has ended. The data is a [`BatchResult`](crate::job::batch::result::BatchResult).
    Job,
    /// Stream of a job or of all jobs: the job was deleted. The data is a [`Gone`].
    Gone,
    /// Stream of all jobs: events were not sent. The data is a [`Lost`].
    Lost,
}

impl EventName {
    const ALL: [Self; 8] = [
        Self::State,
        Self::Failure,
        Self::Log,
        Self::Progress,
        Self::Batch,
        Self::Job,
        Self::Gone,
        Self::Lost,
    ];

    /// Returns the name as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Failure => "failure",
            Self::Log => "log",
            Self::Progress => "progress",
            Self::Batch => "batch",
            Self::Job => "job",
            Self::Gone => "gone",
            Self::Lost => "lost",
        }
    }

    /// Returns the event with this name. A newer server may send events that are not known here.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Data of [`EventName::Gone`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Id of the deleted job.
    pub id: JobId,
}

/// Data of [`EventName::Lost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Minimum number of events that were not sent; 0 if the connection was broken, because events
    /// during that time are not counted.
    pub events: u64,
}

/// Filter of the stream of all jobs, sent as the query string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Receives only events about jobs of this queue.
    pub queue: Option<QueueName>,
    /// Receives only events about jobs of this kind.
    pub kind: Option<Kind>,
}

impl EventQuery {
    /// Names of the parameters.
    pub const PARAMETERS: [&str; 2] = ["queue", "kind"];
}

/// Writes the query string with its question mark, or nothing without filters. The names of queues
/// and kinds need no escaping.
impl fmt::Display for EventQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue.as_ref().map(QueueName::as_str);
        let values = [queue, self.kind.as_ref().map(Kind::as_str)];
        let values = Self::PARAMETERS.into_iter().zip(values);
        let given = values.filter_map(|(name, value)| Some((name, value?)));
        for (index, (name, value)) in given.enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_found_by_its_name() {
        for event in EventName::ALL {
            assert_eq!(EventName::find(event.as_str()), Some(event));
        }
        assert_eq!(EventName::find("news"), None);
    }

    #[test]
    fn a_query_contains_the_filters_that_are_set() {
        assert_eq!(EventQuery::default().to_string(), "");
        let query = EventQuery { queue: None, kind: "echo".parse().ok() };
        assert_eq!(query.to_string(), "?kind=echo");
        let query = EventQuery { queue: "mail".parse().ok(), ..query };
        assert_eq!(query.to_string(), "?queue=mail&kind=echo");
    }
}
