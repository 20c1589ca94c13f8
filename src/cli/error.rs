//! The errors of commands and their exit codes.

use std::io;
use std::process::ExitCode;

use crate::cli::output::show;
use crate::cli::refusal::Refusal;
use crate::cli::server::serve::error::ServeError;
use crate::config::ConfigError;
use crate::job::{BatchId, JobError, JobId, State};
use crate::server::StartError;
use crate::store::OpenError;
use crate::store::sqlite::admin::backup::BackupError;

/// The exit codes, shown by `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  unexpected error, such as a file that cannot be read; verify: the database is not sound
  2  wrong usage or configuration; serve: the database must not be served (newer version, other
     program, more than one name); verify: the file cannot be read as a database
  3  the server cannot be reached
  4  the server refused the request; the reasons are printed
  5  the job failed or was cancelled (wait, submit --wait); batch: a job failed or was cancelled
  6  the job had not ended when the wait timed out (wait, submit --wait)";

/// An error that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// An option has a wrong value, or options contradict each other; see `--help`.
    #[error("{0}")]
    Usage(String),
    /// The configuration is invalid; correct the settings that the message names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No server answers at the URL; start the server, or correct `--url`.
    #[error("cannot reach the server at {url}: {why}")]
    Unreachable {
        /// URL that was tried.
        url: String,
        /// Reason, such as a refused connection.
        why: String,
    },
    /// The server refused the request and gave its reasons.
    #[error("{0}")]
    Refused(Refusal),
    /// The job failed or was cancelled.
    #[error("{}", failure_message(*.job, *.state, .error.as_ref()))]
    JobFailed {
        /// ID of the job.
        job: JobId,
        /// State of the job: `failed` or `cancelled`.
        state: State,
        /// Error of the last attempt, if there is one.
        error: Option<JobError>,
    },
    /// Jobs of a batch failed or were cancelled.
    #[error(
        "batch {batch}: {failed} failed and {cancelled} were cancelled; list them with 'longshore list --batch {batch}'"
    )]
    BatchFailed {
        /// ID of the batch.
        batch: BatchId,
        /// Number of jobs that failed.
        failed: i64,
        /// Number of jobs that were cancelled.
        cancelled: i64,
    },
    /// The wait timed out before the job ended; wait again.
    #[error("job {job} is still {state}")]
    StillRunning {
        /// ID of the job.
        job: JobId,
        /// State of the job at the end of the wait.
        state: State,
    },
    /// The response does not come from Longshore; check that the URL leads to a Longshore server.
    #[error("cannot understand the response from {url}: {why}")]
    BadResponse {
        /// URL of the server.
        url: String,
        /// Description of the fault in the response.
        why: String,
    },
    /// A file, a socket or a signal could not be used.
    #[error("{what}: {error}")]
    Io {
        /// Description of the failed operation, such as `cannot read stdin`.
        what: String,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The server could not start, or an error stopped it; its log has the details.
    #[error(transparent)]
    Server(#[from] ServeError),
    /// The database was not copied; correct the cause that the message names.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The checks found faults in the database; the faults are printed.
    #[error("{database} is not sound: {faulty} of the checks found faults")]
    Unsound {
        /// Path of the database.
        database: String,
        /// Number of checks that found faults.
        faulty: usize,
    },
    /// The file cannot be read as a Longshore database.
    #[error(transparent)]
    Unusable(OpenError),
    /// An error that has been printed already.
    #[error("{0}")]
    Reported(Box<CliError>),
    /// The reader of the output closed it, as `head` does. This is not a failure.
    #[error("the output was closed")]
    OutputClosed,
}

fn failure_message(job: JobId, state: State, error: Option<&JobError>) -> String {
    match error {
        Some(error) => format!("job {job} {state}: {}", show::error(error, usize::MAX)),
        None => format!("job {job} {state}"),
    }
}

impl CliError {
    /// Returns a function that wraps an I/O error with a description of the failed operation.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }

    /// Wraps an error that occurred while writing to stdout.
    pub fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Io { what: "cannot write the output".into(), error },
        }
    }

    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Reported(error) => error.exit_code(),
            Self::Usage(_) | Self::Config(_) | Self::Unusable(_) => 2,
            Self::Backup(error) if error.is_misuse() => 2,
            Self::Server(ServeError::Exposed { .. } | ServeError::Tls(_)) => 2,
            // The configuration cannot be used, for example if a certificate file is missing.
            Self::Server(ServeError::Start(StartError::Registry(_) | StartError::FirstKey(_))) => 2,
            Self::Server(ServeError::Start(StartError::Open(error))) if error.is_misuse() => 2,
            Self::BadResponse { .. } | Self::Io { .. } | Self::Server(_) => 1,
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
