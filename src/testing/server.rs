//! A server on a temporary file with a clock that the test moves.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::{Config, Lanes};
use crate::job::{Span, Timestamp};
use crate::server::{Builder, Error, Handle, Server, StartError};

/// Maximum time for which [`TestServer::run_until_idle`] waits.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two reads of the number of jobs that have not ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Number of workers of each lane, enough for a test.
const LANES: Lanes = Lanes { async_: 8, thread: 2, process: 2, queue_share: 1.0 };

/// Error of a [`TestServer`].
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The temporary directory cannot be created.
    #[error("cannot create a temporary directory: {0}")]
    Directory(#[from] std::io::Error),
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A call of the server failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// Jobs were still queued or running after [`IDLE_TIMEOUT`]: a handler does not return, or no
    /// worker of this server may run the jobs.
    #[error(
        "{queued} jobs are still queued and {running} running after {}",
        Span::new(IDLE_TIMEOUT)
    )]
    NotIdle {
        /// Number of queued jobs, except for those in paused queues.
        queued: i64,
        /// Number of running jobs.
        running: i64,
    },
}

/// A server for one test, with its own database in a temporary directory.
///
/// Its clock starts at the time of day and then stands still. [`TestServer::advance`] moves it. The
/// timeout of an attempt is measured in real time all the same. Dropping the server stops it.
pub struct TestServer {
    /// Present until the server is stopped.
    server: Option<Server>,
    handle: Handle,
    clock: Clock,
    /// Removed when the server has been stopped.
    _directory: TempDir,
}

impl TestServer {
    /// Starts a server with the default configuration and few workers. `prepare` adds the handlers,
    /// the state and the defaults of the application.
    ///
    /// # Errors
    /// Returns [`TestError::Directory`] or [`TestError::Start`].
    pub fn start(prepare: impl FnOnce(Builder) -> Builder) -> Result<Self, TestError> {
        Self::with_config(Config { lanes: LANES, ..Config::default() }, prepare)
    }

    /// Starts a server with a configuration, of which only the path of the database is replaced.
    ///
    /// # Errors
    /// Returns [`TestError::Directory`] or [`TestError::Start`].
    pub fn with_config(
        config: Config,
        prepare: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self, TestError> {
        let directory = tempfile::tempdir()?;
        let config = Config { database: directory.path().join("test.db").into(), ..config };
        let clock = Clock::manual(Clock::system().now());
        let server = prepare(Server::builder(config)).clock(clock.clone()).start()?;
        let handle = server.handle();
        Ok(Self { server: Some(server), handle, clock, _directory: directory })
    }

    /// Returns the handle of the server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns the time of the server's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock forward, queues the jobs that are due then and cancels those that have
    /// expired.
    ///
    /// Move the clock while no job runs: a jump past the end of its lease looks like a stall of the
    /// server.
    ///
    /// # Errors
    /// Returns [`TestError::Call`] if the jobs cannot be written.
    pub async fn advance(&self, span: Duration) -> Result<(), TestError> {
        self.clock.advance(span);
        self.handle.stage_due().await?;
        Ok(self.handle.expire_due().await?)
    }

    /// Waits until no job is queued or running, and no scheduled or retrying job is due.
    ///
    /// Jobs that are due later are not waited for; [`TestServer::run_all`] moves the clock to them.
    /// Queued jobs of paused queues do not count. Jobs for remote workers do, so the test must finish
    /// them.
    ///
    /// # Errors
    /// Returns [`TestError::NotIdle`] after [`IDLE_TIMEOUT`], and [`TestError::Call`] if the jobs
    /// cannot be read.
    pub async fn run_until_idle(&self) -> Result<(), TestError> {
        self.run_due().await.map(drop)
    }

    /// Runs all jobs to their end: whenever the server is idle, moves the clock to the next job that
    /// is scheduled or retrying.
    ///
    /// # Errors
    /// The same as [`TestServer::run_until_idle`].
    pub async fn run_all(&self) -> Result<(), TestError> {
        while let Some(next_at) = self.run_due().await? {
            self.advance(next_at.since(self.now())).await?;
        }
        Ok(())
    }

    /// Stops the server after its running jobs have ended, and removes the database.
    pub async fn shutdown(mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
    }

    /// Waits until the server is idle. Returns the time at which the next job is due.
    async fn run_due(&self) -> Result<Option<Timestamp>, TestError> {
        let deadline = Instant::now() + IDLE_TIMEOUT;
        loop {
            let (queued, running) = self.unfinished().await?;
            if (queued, running) == (0, 0) {
                // If no job was due either, no job changes by itself.
                let staged = self.handle.stage_due().await?;
                if staged.count == 0 {
                    return Ok(staged.next_at);
                }
            }
            if Instant::now() >= deadline {
                return Err(TestError::NotIdle { queued, running });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns the number of queued jobs that may start and the number of running jobs.
    async fn unfinished(&self) -> Result<(i64, i64), TestError> {
        let (mut queued, mut running) = (0, 0);
        for queue in self.handle.queues().await? {
            running += queue.jobs.running;
            if !queue.settings.paused {
                queued += queue.jobs.queued;
            }
        }
        Ok((queued, running))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::{Context, HandlerError};
    use crate::job::queue::QueueChange;
    use crate::job::{JobId, QueueName, State, Submission};

    /// Fails in its first two attempts.
    async fn third_time_lucky(context: Context, (): ()) -> Result<u32, HandlerError> {
        match context.attempt() {
            3.. => Ok(context.attempt()),
            _ => Err(HandlerError::retryable("not yet")),
        }
    }

    fn start() -> TestServer {
        TestServer::start(|builder| builder.handler("lucky", third_time_lucky)).unwrap()
    }

    async fn submit(server: &TestServer, submission: Submission) -> JobId {
        server.handle().submit(submission).await.unwrap().id
    }

    async fn state(server: &TestServer, id: JobId) -> State {
        server.handle().job(id).await.unwrap().state
    }

    fn hours(hours: u64) -> Span {
        Span::from_secs(3600 * hours)
    }

    #[actix_web::test]
    async fn an_idle_server_has_run_every_due_job_and_no_later_one() {
        let server = start();
        let echo = || Submission::new("echo", &1).unwrap();
        let mut ids = Vec::new();
        for _ in 0..50 {
            ids.push(submit(&server, echo()).await);
        }
        let later = submit(&server, Submission { delay: Some(hours(2)), ..echo() }).await;
        server.run_until_idle().await.unwrap();
        for id in ids {
            assert_eq!(state(&server, id).await, State::Completed);
        }
        server.advance(hours(1).duration()).await.unwrap();
        server.run_until_idle().await.unwrap();
        assert_eq!(state(&server, later).await, State::Scheduled);
        server.advance(hours(1).duration()).await.unwrap();
        server.run_until_idle().await.unwrap();
        assert_eq!(state(&server, later).await, State::Completed);
        server.shutdown().await;
    }

    #[actix_web::test]
    async fn all_attempts_of_all_jobs_run_with_the_clock_moved_to_each() {
        let server = start();
        let started_at = server.now();
        let lucky = || Submission::new("lucky", &()).unwrap();
        let id = submit(&server, lucky()).await;
        let later = submit(&server, Submission { delay: Some(hours(48)), ..lucky() }).await;
        server.run_until_idle().await.unwrap();
        assert_eq!(state(&server, id).await, State::Retrying);
        server.run_all().await.unwrap();
        for id in [id, later] {
            let job = server.handle().job(id).await.unwrap();
            assert_eq!((job.state, job.attempt), (State::Completed, 3));
        }
        assert!(server.now().since(started_at) > hours(48).duration());
        server.shutdown().await;
    }

    #[actix_web::test]
    async fn a_job_in_a_paused_queue_waits_and_expires_when_the_clock_passes_its_time() {
        let server = start();
        let queue: QueueName = "held".parse().unwrap();
        let pause = QueueChange { paused: Some(true), ..QueueChange::default() };
        server.handle().configure(queue, pause).await.unwrap();
        let held = Submission {
            queue: Some("held".into()),
            expires_at: Some(server.now().plus(hours(1).duration())),
            ..Submission::new("echo", &1).unwrap()
        };
        let id = submit(&server, held).await;
        server.run_until_idle().await.unwrap();
        assert_eq!(state(&server, id).await, State::Queued);
        server.advance(hours(1).duration()).await.unwrap();
        assert_eq!(state(&server, id).await, State::Cancelled);
        server.shutdown().await;
    }

    #[actix_web::test]
    async fn a_server_that_is_dropped_stops_and_removes_its_files() {
        let server = start();
        let handle = server.handle().clone();
        let database = std::path::PathBuf::from(handle.config().database.clone());
        assert!(database.exists());
        drop(server);
        assert!(!database.exists());
        assert!(handle.submit(Submission::new("echo", &1).unwrap()).await.is_err());
    }
}
