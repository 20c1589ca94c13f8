//! A server with its HTTP front end, from start to end.

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;

use crate::cli::output::Output;
use crate::cli::signal::{StopSignals, survive_file_size_limit};
use crate::config::Config;
use crate::http;
use crate::pages;
use crate::server::{Builder, Server, StartError};

/// Why the server ends badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start; mend what it names.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Nothing can listen there; is another server running?
    #[error("cannot listen on {listen}: {error}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// Signals cannot be caught.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// It could not go on. What was accepted is on disk, and a restart recovers it.
    #[error("the server could not go on: {0}")]
    Failed(String),
}

/// A server that runs in this process.
pub struct RunningServer {
    addr: SocketAddr,
    http: ServerHandle,
    server: Server,
}

impl RunningServer {
    /// Where it listens.
    pub(in crate::cli) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until it cannot go on, and tells why.
    pub(in crate::cli) async fn failed(&self) -> ServeError {
        ServeError::Failed(self.server.failed().await)
    }

    /// Drains and ends it.
    pub(in crate::cli) async fn stop(self) {
        self.server.drain().await;
        self.end().await;
    }

    /// Logs the names that jobs may use.
    fn tell_what_it_knows(&self) {
        let handle = self.server.handle();
        let names =
            |names: Vec<&str>| if names.is_empty() { "none".into() } else { names.join(", ") };
        let kinds = handle.kinds().join(", ");
        let providers = names(handle.config().providers.keys().map(String::as_str).collect());
        let commands = names(handle.config().commands.keys().map(String::as_str).collect());
        tracing::info!(kinds, providers, commands, "jobs may use");
    }

    /// Ends it without waiting for running jobs. Requests under way are answered.
    pub(in crate::cli) async fn end(self) {
        self.server.release_waiters();
        self.http.stop(true).await;
        self.server.stop();
    }
}

/// Starts the server in this process and leaves signals alone. `prepare` may add handlers to it.
pub(in crate::cli) async fn start_server(
    config: Config,
    prepare: impl FnOnce(Builder) -> Builder,
) -> Result<RunningServer, ServeError> {
    let listen = config.listen;
    let unheard = |error| ServeError::Listen { listen, error };
    // First, so that a server that cannot listen has not begun to run jobs.
    let listener = http::bind(listen).map_err(unheard)?;
    let server = prepare(Server::builder(config)).start()?;
    let (front, addr) = match http::start(server.handle(), listener, pages::routes) {
        Ok(started) => started,
        Err(error) => {
            server.stop();
            return Err(unheard(error));
        }
    };
    let http = front.handle();
    actix_web::rt::spawn(front);
    Ok(RunningServer { addr, http, server })
}

/// Starts the server and holds on until a signal came and it has drained.
pub(super) async fn run_server(config: Config, is_restored: bool) -> Result<(), ServeError> {
    // Before anything starts, so that a signal during the start drains as well.
    let mut signals = StopSignals::listen().map_err(ServeError::Signals)?;
    survive_file_size_limit().map_err(ServeError::Signals)?;
    let database = config.database.display().to_string();
    let prepare = |builder: Builder| if is_restored { builder.restored() } else { builder };
    let running = start_server(config, prepare).await?;
    tracing::info!(addr = %running.addr, database, "serving");
    running.tell_what_it_knows();
    // Who reads stdout may have gone away; the server does not depend on it.
    let _ = Output::new(false).line(format_args!("listening on http://{}", running.addr));
    tokio::select! {
        () = signals.next() => {}
        error = running.failed() => {
            running.end().await;
            return Err(error);
        }
    }
    tracing::info!("draining: no job is started any more, running ones may end");
    let is_drained = tokio::select! {
        () = running.server.drain() => true,
        () = signals.next() => false,
        error = running.failed() => {
            running.end().await;
            return Err(error);
        }
    };
    if is_drained {
        running.end().await;
        tracing::info!("stopped");
    } else {
        tracing::warn!("a second signal: ending at once; the next start takes back what ran");
        running.server.stop();
    }
    Ok(())
}
