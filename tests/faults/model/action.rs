//! Messages and events of the model, and their descriptions.

use std::fmt;

use super::job_row::{Finish, Grant, Report};

/// Message between a worker and the server.
///
/// Messages may arrive at any later step, in any order, any number of times or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Message {
    Granted(Grant),
    Finish(Finish),
    Renew(Grant),
}

/// Event that may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The server receives a lease request of a worker and grants a lease.
    Lease {
        worker: u8,
        job: usize,
    },
    /// A worker ends its attempt and sends a finish.
    End {
        worker: u8,
        report: Report,
    },
    /// A worker sends a renewal of its lease.
    RequestRenewal {
        worker: u8,
    },
    /// A worker dies during its attempt. Another worker takes its place.
    Die {
        worker: u8,
    },
    /// A message arrives and leaves the network.
    Arrive(Message),
    /// A message arrives and stays in the network, because the network has duplicated it or its sender
    /// repeats it after a missing answer.
    ArriveTwice(Message),
    /// A message is lost.
    Lose(Message),
    /// The worker that requested a lease does not wait for it any more, so the lease is released.
    ReleaseUndelivered(Grant),
    /// A lease expires.
    Expire {
        job: usize,
    },
    /// The server rescues a job whose lease has expired.
    Rescue {
        job: usize,
    },
    /// The server ends an attempt that has exceeded its timeout.
    TimeOut {
        job: usize,
    },
    /// The next attempt of a job is due, and the server queues the job.
    Stage {
        job: usize,
    },
    Cancel {
        job: usize,
    },
    Retry {
        job: usize,
    },
    Crash,
    Start,
    /// A backup of the database is made.
    Copy,
    /// The server starts with the restored backup.
    Restore,
}

impl Action {
    /// Returns the name under which an event is counted.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Lease { .. } => "lease",
            Self::End { .. } => "end attempt",
            Self::RequestRenewal { .. } => "request renewal",
            Self::Die { .. } => "die",
            Self::Arrive(Message::Granted(_)) => "start job",
            Self::Arrive(Message::Finish(_)) => "finish",
            Self::Arrive(Message::Renew(_)) => "renew",
            Self::ArriveTwice(_) => "arrive twice",
            Self::Lose(_) => "lose",
            Self::ReleaseUndelivered(_) => "release undelivered",
            Self::Expire { .. } => "expire",
            Self::Rescue { .. } => "rescue",
            Self::TimeOut { .. } => "time out",
            Self::Stage { .. } => "stage",
            Self::Cancel { .. } => "cancel",
            Self::Retry { .. } => "retry",
            Self::Crash => "crash",
            Self::Start => "start",
            Self::Copy => "copy",
            Self::Restore => "restore",
        }
    }
}

/// Describes the event as a step of a counterexample.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease { worker, job } => write!(f, "worker {worker} leases job {job}"),
            Self::Arrive(message) => write!(f, "{message} arrives"),
            Self::ArriveTwice(message) => write!(f, "{message} arrives a first time"),
            Self::Lose(message) => write!(f, "{message} is lost"),
            Self::ReleaseUndelivered(grant) => {
                write!(f, "{grant} is not delivered and is released")
            }
            Self::End { worker, report } => write!(f, "worker {worker} sends {report:?}"),
            Self::RequestRenewal { worker } => write!(f, "worker {worker} requests a renewal"),
            Self::Die { worker } => write!(f, "worker {worker} dies"),
            Self::Expire { job } => write!(f, "the lease of job {job} expires"),
            Self::Rescue { job } => write!(f, "job {job} is rescued"),
            Self::TimeOut { job } => write!(f, "the attempt of job {job} times out"),
            Self::Stage { job } => write!(f, "job {job} is staged"),
            Self::Cancel { job } => write!(f, "job {job} is cancelled"),
            Self::Retry { job } => write!(f, "job {job} is retried by hand"),
            Self::Crash => f.write_str("the server dies"),
            Self::Start => f.write_str("the server starts"),
            Self::Copy => f.write_str("a backup is made"),
            Self::Restore => f.write_str("the backup is restored"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted(grant) => write!(f, "{grant}"),
            Self::Finish(Finish { grant, report }) => write!(f, "{report:?} of {grant}"),
            Self::Renew(grant) => write!(f, "the renewal of {grant}"),
        }
    }
}
