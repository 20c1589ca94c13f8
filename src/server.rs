//! Builds the server and joins its parts; the library's API.
//!
//! ```no_run
//! use longshore::config::Config;
//! use longshore::job::Submission;
//! use longshore::server::Server;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Inside an actix system, as `#[actix_web::main]` makes one.
//! let server = Server::builder(Config::default()).start()?;
//! let handle = server.handle();
//! let submission = Submission::new("echo", &serde_json::json!({"hello": "world"}))?;
//! let job = handle.submit(submission).await?;
//! let job = handle.wait(job.id, std::time::Duration::from_secs(30)).await?;
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod builder;
mod bulk;
mod error;
mod events;
mod handle;
mod join;
mod lease;
mod log;
mod stats;
mod submit;
mod wait;

use std::sync::mpsc;
use std::time::Duration;

use actix_rt::Arbiter;
use futures_util::FutureExt;
use tokio::sync::oneshot;

pub use builder::{Builder, StartError};
pub use bulk::{JobAction, MAX_BULK_ACTIONS};
pub use error::Error;
pub use events::{AllEvent, AllEvents, AllFilter, BatchEvents, JobEvent, JobEvents, Position};
pub use handle::{Handle, Idempotent, MAX_FEEDS, MAX_WAIT};
pub use lease::LeaseActionResult;

use crate::actor::dispatcher::Dispatcher;
use crate::actor::inbox::WriterHandle;
use crate::actor::message::{Drain, NotifyWhenIdle, StopAll};
use crate::actor::send;
use crate::actor::vital::Fatal;
use crate::config::Config;

/// How long stopped attempts have to report that they ended.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// How long the threads of the server have to end.
const THREADS_GRACE: Duration = Duration::from_secs(3);

/// A running server: its actors, their threads, the open database.
pub struct Server {
    handle: Handle,
    writer: WriterHandle,
    dispatcher: actix::Addr<Dispatcher>,
    arbiters: Vec<Arbiter>,
    fatal: Fatal,
    shutdown_grace: Duration,
}

impl Server {
    /// Begins to build a server.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// The connections to the server, for front ends and the application.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the server cannot go on, and tells why. The process should end then; a restart
    /// recovers everything.
    pub async fn failed(&self) -> String {
        self.fatal.raised().await
    }

    /// Stops leasing, gives running jobs `shutdown_grace`, then gives the rest back.
    ///
    /// What is given back does not burn an attempt; a job with `at_most_once` ends as failed with
    /// the code `outcome_unknown`. The handle still answers reads and submissions; [`Server::stop`]
    /// ends it.
    pub async fn drain(&self) {
        self.handle.begin_drain();
        let (reply, drained) = oneshot::channel();
        self.writer.send(Drain(reply));
        // The Writer first: once it has answered, the Dispatcher knows of its last leases.
        let drained = drained.map(drop).shared();
        let ended = drained.clone().then(|()| self.idle());
        if tokio::time::timeout(self.shutdown_grace, ended).await.is_err() {
            tracing::info!("the grace is over: what still runs is stopped and goes back");
            send(&self.dispatcher, StopAll);
            let stopped = drained.then(|()| {
                // What the last transaction leased is to stop as well.
                send(&self.dispatcher, StopAll);
                self.idle()
            });
            if tokio::time::timeout(STOP_GRACE, stopped).await.is_err() {
                tracing::warn!("some attempts did not stop; the next start rescues their jobs");
            }
        }
        if tokio::time::timeout(STOP_GRACE, self.handle.write_time_buckets()).await.is_err() {
            tracing::info!("the last seconds of the charts are not kept");
        }
    }

    /// Waits until nothing runs. Where an actor is gone nothing runs either, and the alarm tells.
    async fn idle(&self) {
        let (reply, idle) = oneshot::channel();
        send(&self.dispatcher, NotifyWhenIdle(reply));
        let _ = idle.await;
    }

    /// Lets nobody wait for an end any longer: every wait is answered as things stand.
    pub fn release_waiters(&self) {
        self.handle.close();
    }

    /// Ends the actors and closes the database. Running attempts are dropped, which closes their
    /// connections and kills their processes; the next start takes their jobs back.
    pub fn stop(self) {
        self.handle.close();
        self.fatal.expect_stop();
        let (reply, ended) = mpsc::channel();
        // On a thread of its own, for a handler that blocks its thread would hold this one too.
        std::thread::spawn(move || {
            for arbiter in &self.arbiters {
                arbiter.stop();
            }
            let panicked = self.arbiters.into_iter().filter_map(|thread| thread.join().err());
            let _ = reply.send(panicked.count());
        });
        match ended.recv_timeout(THREADS_GRACE) {
            Ok(0) => {}
            Ok(panicked) => tracing::warn!(panicked, "threads of the server ended in a panic"),
            Err(_) => tracing::warn!("some threads of the server do not end and are left"),
        }
    }

    /// Drains and stops.
    pub async fn shutdown(self) {
        self.drain().await;
        self.stop();
    }
}
