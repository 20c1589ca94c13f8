//! The library's API: builds, starts and stops the server.
//!
//! [`Server::builder`] starts it, [`Server::handle`] returns the [`Handle`] through which everything
//! else is done, and [`Server::shutdown`] ends it.
//!
//! ```no_run
//! use longshore::config::Config;
//! use longshore::job::Submission;
//! use longshore::server::Server;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Must run inside an actix system, such as the one that `#[actix_web::main]` creates.
//! let server = Server::builder(Config::default()).start()?;
//! let handle = server.handle();
//! let submission = Submission::new("echo", &serde_json::json!({"hello": "world"}))?;
//! let job = handle.submit(submission).await?;
//! let job = handle.wait(job.id, std::time::Duration::from_secs(30)).await?;
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub(crate) mod body;
mod builder;
mod bulk;
mod error;
mod events;
mod handle;
mod job_handle;
mod lease;
mod log;
mod operations;
pub(crate) mod origin;
#[cfg(feature = "testing")]
mod stage;
mod submit;
mod wait;

use std::sync::mpsc;
use std::time::Duration;

use actix_rt::Arbiter;
use futures_util::FutureExt;
use tokio::sync::oneshot;

pub use builder::{Builder, StartError};
pub(crate) use bulk::check_count;
pub use bulk::{JobAction, MAX_BULK_ACTIONS};
pub use error::Error;
pub use events::{
    AllEvent, AllEvents, AllFilter, BatchEvent, BatchEvents, BatchJobEvents, BatchPosition,
    JobEvent, JobEvents, Position,
};
pub(crate) use handle::LARGE_BYTES;
pub(crate) use handle::size::{ByteShare, SizePermit};
pub(crate) use handle::{AnswerBudget, AnswerShare, AnswerWeight, ChangeNotes};
pub use handle::{Handle, Idempotent, MAX_FEEDS, MAX_WAIT};
pub use job_handle::{Finished, JobHandle, WaitError};
pub use lease::{LeaseActionResult, LeaseReportResult, LeaseWatchResult};
pub use operations::batches::MAX_RESULTS;
pub use operations::deliveries::MAX_DELIVERIES;
pub use operations::keys::CreatedKey;
#[cfg(feature = "cli")]
pub(crate) use operations::keys::{check_new_key, random_secret};
pub use operations::tokens::SignedToken;
pub use operations::webhook_secrets::RevealedWebhookSecret;
#[cfg(feature = "cli")]
pub(crate) use operations::webhook_secrets::random_webhook_secret;
pub(crate) use submit::fingerprint;

pub use crate::store::{BatchPage, JobFilter, JobPage, QueueSubset, Refusal, SubmissionKey};

use crate::actor::dispatcher::Dispatcher;
use crate::actor::message::{Drain, NotifyWhenIdle, StopAll};
use crate::actor::send;
use crate::actor::vital::Fatal;
use crate::actor::writer::Writer;
use crate::config::Config;

/// Time that stopped attempts have to report their end.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// Time that the threads of the server have to end.
const THREADS_GRACE: Duration = Duration::from_secs(3);

/// A running server: its actors, their threads and the open database.
///
/// Call [`Server::shutdown`] to stop it in order. If the process ends without that, the next start
/// recovers all accepted jobs.
pub struct Server {
    handle: Handle,
    writer: actix::Addr<Writer>,
    dispatcher: actix::Addr<Dispatcher>,
    /// Threads of the actors, that of the Writer first.
    arbiters: Vec<Arbiter>,
    fatal: Fatal,
    shutdown_grace: Duration,
}

impl Server {
    /// Returns a builder for a server with this configuration.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// Returns a handle to the server, for front ends and the application. It is cheap to clone.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the server fails, and returns the reason.
    ///
    /// The process should end then; a restart recovers all jobs that are in the database.
    pub async fn failed(&self) -> String {
        self.fatal.raised().await
    }

    /// Stops leasing, waits up to `shutdown_grace` for running jobs to end, then stops and
    /// releases the others.
    ///
    /// A released job is queued again and its attempt does not count; a job with `at_most_once` ends
    /// as failed with the code `outcome_unknown` instead. The handle still accepts reads and
    /// submissions until [`Server::stop`] is called.
    pub async fn drain(&self) {
        self.handle.start_drain();
        let (reply, drained) = oneshot::channel();
        send(&self.writer, Drain(reply));
        // The Writer first: once it has answered, its last leases have been sent to the Dispatcher.
        let drained = drained.map(drop).shared();
        let ended = drained.clone().then(|()| self.idle());
        if tokio::time::timeout(self.shutdown_grace, ended).await.is_err() {
            tracing::info!(
                "the shutdown grace is over: jobs that still run are stopped and released"
            );
            send(&self.dispatcher, StopAll);
            let stopped = drained.then(|()| {
                // Stops the jobs that the last transaction leased as well.
                send(&self.dispatcher, StopAll);
                self.idle()
            });
            if tokio::time::timeout(STOP_GRACE, stopped).await.is_err() {
                tracing::warn!(
                    "some attempts did not stop in time; the next start rescues their jobs"
                );
            }
        }
        if tokio::time::timeout(STOP_GRACE, self.handle.write_time_buckets()).await.is_err() {
            tracing::info!(
                "the last seconds of the charts are lost: the database did not answer in time"
            );
        }
    }

    /// Waits until no job is running. If the Dispatcher is gone, no job is running either.
    async fn idle(&self) {
        let (reply, idle) = oneshot::channel();
        send(&self.dispatcher, NotifyWhenIdle(reply));
        let _ = idle.await;
    }

    /// Ends all waits and event streams: each waiting call returns the current state.
    pub fn release_waiting_requests(&self) {
        self.handle.close();
    }

    /// Ends the actors and closes the database, without waiting for running jobs.
    ///
    /// Running attempts are dropped, which closes their connections and kills their processes. The next
    /// start rescues their jobs.
    pub fn stop(self) {
        self.handle.close();
        self.fatal.expect_stop();
        let mut others = self.arbiters;
        let writer = others.drain(..1).collect();
        end_threads(others);
        // The Writer last: the last connection that closes copies the write-ahead log into the database. Two
        // that close at the same time leave that to each other.
        end_threads(writer);
    }

    /// Drains the server, then stops it. See [`Server::drain`] and [`Server::stop`].
    pub async fn shutdown(self) {
        self.drain().await;
        self.stop();
    }
}

/// Ends threads, and waits a limited time for them.
fn end_threads(arbiters: Vec<Arbiter>) {
    let (reply, ended) = mpsc::channel();
    // On a separate thread, because a handler that blocks its thread would block this one too.
    std::thread::spawn(move || {
        for arbiter in &arbiters {
            arbiter.stop();
        }
        let panicked = arbiters.into_iter().filter_map(|thread| thread.join().err());
        let _ = reply.send(panicked.count());
    });
    match ended.recv_timeout(THREADS_GRACE) {
        Ok(0) => {}
        Ok(panicked) => tracing::warn!(panicked, "threads of the server panicked"),
        Err(_) => {
            tracing::warn!("some threads of the server did not end in time and are abandoned")
        }
    }
}
