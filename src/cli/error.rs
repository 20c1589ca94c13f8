//! Why a command ends badly, and the exit code that tells it.

use std::io;
use std::process::ExitCode;

use crate::cli::refusal::Refusal;
use crate::cli::serve::ServeError;
use crate::cli::show;
use crate::config::ConfigError;
use crate::job::{BatchId, JobError, JobId, State};
use crate::server::StartError;
use crate::store::OpenError;
use crate::store::sqlite::backup::BackupError;

/// The exit codes, as `--help` tells them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something unexpected, such as a file that cannot be read; a database that is not sound (verify)
  2  wrong usage or configuration; a database that cannot be read (verify)
  3  the server cannot be reached
  4  the server refused the request; its reasons are printed
  5  the job failed or was cancelled (wait, submit --wait), or one of the batch (batch)
  6  the job was still running when the wait ended (wait, submit --wait)";

/// Why a command ends badly.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The options do not fit together or a value cannot be read; see `--help`.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used; mend what it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No server answers there; start it, or set `--url`.
    #[error("cannot reach the server at {url}: {why}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The server said no, and why.
    #[error("{0}")]
    Refused(Refusal),
    /// The job ended without a result.
    #[error("{}", tell_failure(*.job, *.state, .error.as_ref()))]
    JobFailed {
        /// Which job.
        job: JobId,
        /// `failed` or `cancelled`.
        state: State,
        /// Why.
        error: Option<JobError>,
    },
    /// Jobs of a batch ended without a result.
    #[error(
        "batch {batch}: {failed} failed and {cancelled} were cancelled; see them with 'longshore list --batch {batch}'"
    )]
    BatchFailed {
        /// Which batch.
        batch: BatchId,
        /// How many failed.
        failed: i64,
        /// How many were cancelled.
        cancelled: i64,
    },
    /// The wait ended first; wait again.
    #[error("job {job} is still {state}")]
    StillRunning {
        /// Which job.
        job: JobId,
        /// Where it stood last.
        state: State,
    },
    /// What came from the server was no answer of Longshore's; is it another server?
    #[error("cannot understand the answer of {url}: {why}")]
    BadAnswer {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file, a socket or a signal could not be used.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// The server ended badly; its log says why.
    #[error(transparent)]
    Server(#[from] ServeError),
    /// The database was not copied; mend what it names.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The database holds what may not be; what was found is printed.
    #[error("{database} is not sound: {faulty} of the checks found faults")]
    Unsound {
        /// Which.
        database: String,
        /// How many checks.
        faulty: usize,
    },
    /// The file cannot be read as a database of Longshore's.
    #[error(transparent)]
    Unusable(OpenError),
    /// An error that is printed already.
    #[error("{0}")]
    LeaseReport(Box<CliError>),
    /// Who reads the output has closed it, as `head` does; no reason to complain.
    #[error("the output was closed")]
    OutputClosed,
}

fn tell_failure(job: JobId, state: State, error: Option<&JobError>) -> String {
    match error {
        Some(error) => format!("job {job} {state}: {}", show::error(error, usize::MAX)),
        None => format!("job {job} {state}"),
    }
}

impl CliError {
    /// Wraps an error of the system with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }

    /// Wraps an error of writing to stdout.
    pub fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Io { what: "cannot write the output".into(), error },
        }
    }

    /// The code with which the process ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::LeaseReport(error) => error.exit_code(),
            Self::Usage(_) | Self::Config(_) | Self::Unusable(_) => 2,
            Self::Backup(error) if error.is_misuse() => 2,
            // What is configured cannot be used, as a file of certificates that is not there.
            Self::Server(ServeError::Start(StartError::Registry(_))) => 2,
            Self::BadAnswer { .. } | Self::Io { .. } | Self::Server(_) => 1,
            Self::Backup(_) | Self::Unsound { .. } => 1,
            Self::Unreachable { .. } => 3,
            Self::Refused(_) => 4,
            Self::JobFailed { .. } | Self::BatchFailed { .. } => 5,
            Self::StillRunning { .. } => 6,
        }
    }
}

impl From<&CliError> for ExitCode {
    fn from(error: &CliError) -> Self {
        Self::from(error.exit_code())
    }
}
