//! What may happen, and how that is told.

use std::fmt;

use super::row::{Finish, Grant, Report};

/// What is under way between workers and server. It may arrive at any time later, in any order, any
/// number of times or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Message {
    Granted(Grant),
    Finish(Finish),
    Renew(Grant),
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A worker's wish for a job reaches the server.
    Lease {
        worker: u8,
        job: usize,
    },
    /// A worker ends what it runs and sends a finish.
    End {
        worker: u8,
        report: Report,
    },
    /// A worker asks for more time.
    AskForTime {
        worker: u8,
    },
    /// A worker dies with what it runs; another takes its place.
    Die {
        worker: u8,
    },
    /// A message arrives.
    Arrive(Message),
    /// A message arrives and will once more: the network has made two of it, or its sender repeats
    /// it for want of an answer.
    ArriveTwice(Message),
    /// A message gets lost.
    Lose(Message),
    /// A lease finds nobody who waits for it any more, and is given back.
    GiveBack(Grant),
    /// The time of a lease is over.
    RunOut {
        job: usize,
    },
    /// The server looks for leases that have run out.
    Rescue {
        job: usize,
    },
    /// It finds one whose attempt has had all its time.
    TimeOut {
        job: usize,
    },
    /// The next attempt is due.
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
    /// A backup is made.
    Copy,
    /// The server starts with the backup.
    Restore,
}

impl Action {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Lease { .. } => "lease",
            Self::End { .. } => "end",
            Self::AskForTime { .. } => "ask for time",
            Self::Die { .. } => "die",
            Self::Arrive(Message::Granted(_)) => "begin",
            Self::Arrive(Message::Finish(_)) => "finish",
            Self::Arrive(Message::Renew(_)) => "renew",
            Self::ArriveTwice(_) => "arrive twice",
            Self::Lose(_) => "lose",
            Self::GiveBack(_) => "give back",
            Self::RunOut { .. } => "run out",
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

/// As a step of a story.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease { worker, job } => write!(f, "worker {worker} leases job {job}"),
            Self::Arrive(message) => write!(f, "{message} arrives"),
            Self::ArriveTwice(message) => write!(f, "{message} arrives a first time"),
            Self::Lose(message) => write!(f, "{message} is lost"),
            Self::GiveBack(grant) => write!(f, "{grant} finds nobody"),
            Self::End { worker, report } => write!(f, "worker {worker} sends {report:?}"),
            Self::AskForTime { worker } => write!(f, "worker {worker} asks for time"),
            Self::Die { worker } => write!(f, "worker {worker} dies"),
            Self::RunOut { job } => write!(f, "the lease of job {job} runs out"),
            Self::Rescue { job } => write!(f, "job {job} is rescued"),
            Self::TimeOut { job } => write!(f, "job {job} has had its time"),
            Self::Stage { job } => write!(f, "job {job} is staged"),
            Self::Cancel { job } => write!(f, "job {job} is cancelled"),
            Self::Retry { job } => write!(f, "job {job} is retried by hand"),
            Self::Crash => f.write_str("the server dies"),
            Self::Start => f.write_str("it starts"),
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
