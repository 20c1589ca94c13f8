//! The life of a server with its HTTP front end: start, drain, stop.

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;

use crate::auth::secret::KeySecret;
use crate::cli::output::Output;
use crate::cli::server::serve::error::ServeError;
use crate::cli::server::signal::{StopSignals, ignore_others, survive_file_size_limit};
use crate::cli::server::{guard, orphans};
use crate::config::Config;
use crate::executor::Guard;
use crate::http;
use crate::pages;
use crate::server::{Builder, Server};

/// A server that runs in this process.
pub(crate) struct RunningServer {
    addr: SocketAddr,
    http: ServerHandle,
    server: Server,
}

impl RunningServer {
    /// Returns the address that the server listens on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the server fails, and returns the reason.
    pub(crate) async fn failed(&self) -> ServeError {
        ServeError::Failed(self.server.failed().await)
    }

    /// Drains the server and stops it.
    pub(crate) async fn drain_and_stop(self) {
        self.server.drain().await;
        self.stop().await;
    }

    /// Logs the kinds, providers and commands that jobs may use.
    fn log_capabilities(&self) {
        let handle = self.server.handle();
        let names =
            |names: Vec<&str>| if names.is_empty() { "none".into() } else { names.join(", ") };
        let kinds = handle.kinds().join(", ");
        let providers = names(handle.config().providers.keys().map(String::as_str).collect());
        let commands = names(handle.config().commands.keys().map(String::as_str).collect());
        tracing::info!(kinds, providers, commands, "available to jobs");
    }

    /// Stops the server without waiting for running jobs. Requests in progress are answered.
    pub(crate) async fn stop(self) {
        self.server.release_waiting_requests();
        self.http.stop(true).await;
        self.server.stop();
    }
}

/// Starts the server in this process without handling signals. `prepare` may add job handlers.
pub(crate) async fn start_server(
    config: Config,
    prepare: impl FnOnce(Builder) -> Builder,
) -> Result<RunningServer, ServeError> {
    let listen = config.listen;
    let listen_error = |error| ServeError::Listen { listen, error };
    // Binding comes first, so that a server that cannot listen has not started any job.
    Guard::enable(guard::COMMAND);
    let listener = http::bind(listen).map_err(listen_error)?;
    let server = prepare(Server::builder(config)).start()?;
    let (http_server, addr) = match http::start(server.handle(), listener, pages::routes) {
        Ok(started) => started,
        Err(error) => {
            server.stop();
            return Err(listen_error(error));
        }
    };
    let http = http_server.handle();
    actix_web::rt::spawn(http_server);
    Ok(RunningServer { addr, http, server })
}

/// Runs the server until a signal arrives and it has drained.
pub(super) async fn run_server(
    config: Config,
    is_restored: bool,
    first_key: Option<KeySecret>,
) -> Result<(), ServeError> {
    // Signals are handled before anything starts, so that a signal during the start drains as well.
    let mut signals = StopSignals::listen().map_err(ServeError::Signals)?;
    survive_file_size_limit().map_err(ServeError::Signals)?;
    ignore_others().map_err(ServeError::Signals)?;
    orphans::reap().map_err(ServeError::Signals)?;
    let database = config.database.to_string();
    let prepare = |builder: Builder| {
        let builder = if is_restored { builder.restored() } else { builder };
        match first_key {
            Some(secret) => builder.first_key(secret),
            None => builder,
        }
    };
    let running = start_server(config, prepare).await?;
    tracing::info!(addr = %running.addr, database, "serving");
    running.log_capabilities();
    // The reader of stdout may have closed it. The server does not depend on stdout.
    let _ = Output::new(false).line(format_args!("listening on http://{}", running.addr));
    tokio::select! {
        () = signals.next() => {}
        error = running.failed() => {
            running.stop().await;
            return Err(error);
        }
    }
    tracing::info!("draining: no more jobs are started, running jobs may finish");
    let is_drained = tokio::select! {
        () = running.server.drain() => true,
        () = signals.next() => false,
        error = running.failed() => {
            running.stop().await;
            return Err(error);
        }
    };
    if is_drained {
        running.stop().await;
        tracing::info!("stopped");
    } else {
        tracing::warn!(
            "second signal: stopping at once; the next start rescues the jobs that were running"
        );
        running.server.stop();
    }
    Ok(())
}
