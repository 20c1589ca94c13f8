//! The life of a server with its HTTP front end: start, drain, stop.

use std::sync::Arc;

use actix_web::dev::ServerHandle;

use crate::auth::secret::KeySecret;
use crate::cli::output::Output;
use crate::cli::server::serve::error::ServeError;
use crate::cli::server::serve::exposure;
use crate::cli::server::signal::{StopSignals, ignore_others, survive_file_size_limit};
use crate::cli::server::{guard, orphans};
use crate::config::{Config, ListenAddress};
use crate::executor::Guard;
use crate::http::{self, SocketFile, TlsFiles};
use crate::job::problem::bounded_list::bounded_list;
use crate::pages;
use crate::server::{Builder, Server, StartError};

/// Maximum length of the list of kinds in the log, in bytes.
const MAX_KINDS_BYTES: usize = 1_024;

/// A server that runs in this process.
pub(crate) struct RunningServer {
    /// URL of each listener, in the order of the configuration.
    urls: Vec<String>,
    http: ServerHandle,
    server: Server,
    /// Files of Unix sockets, which are removed when the server has stopped.
    socket_files: Vec<Arc<SocketFile>>,
}

impl RunningServer {
    /// Returns the URLs at which the server listens.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
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

    /// Logs the kinds, and the names of the providers, secrets and commands, that jobs may use.
    fn log_capabilities(&self) {
        let handle = self.server.handle();
        let names =
            |names: Vec<&str>| if names.is_empty() { "none".into() } else { names.join(", ") };
        let kinds = bounded_list(&handle.kinds(), MAX_KINDS_BYTES);
        let providers = names(handle.config().providers.keys().map(String::as_str).collect());
        let commands = names(handle.config().commands.keys().map(String::as_str).collect());
        let secrets = names(handle.config().secrets.keys().map(String::as_str).collect());
        tracing::info!(kinds, providers, secrets, commands, "available to jobs");
    }

    /// Removes the files of Unix sockets. The threads of the HTTP server may still have a part in them.
    fn remove_socket_files(&self) {
        self.socket_files.iter().for_each(|file| file.remove());
    }

    /// Prints a line for each listener.
    fn print_urls(&self) {
        for url in &self.urls {
            // The reader of stdout may have closed it. The server does not depend on stdout.
            let _ = Output::new(false).line(format_args!("listening on {url}"));
        }
    }

    /// Stops the server without waiting for running jobs. Requests in progress are answered.
    pub(crate) async fn stop(self) {
        self.server.release_waiting_requests();
        self.http.stop(true).await;
        self.remove_socket_files();
        self.server.stop();
    }
}

/// Starts the server in this process without handling signals. `prepare` may add job handlers, and
/// `insecure` lets other machines connect although no key exists.
pub(crate) async fn start_server(
    config: Config,
    insecure: bool,
    prepare: impl FnOnce(Builder) -> Builder,
) -> Result<RunningServer, ServeError> {
    let listen = config.listen.clone();
    let mut builder = prepare(Server::builder(config.clone()));
    let must_have_key = !insecure && exposure::is_exposed(&listen);
    if must_have_key {
        // Before anything is bound or created.
        exposure::check(&listen, builder.may_have_key(), insecure)?;
        builder = builder.require_key();
    }
    Guard::enable(guard::COMMAND);
    // Binding comes first, so that a server that cannot listen has not started any job.
    let listeners = bind_all(&config)?;
    for listener in &listeners {
        if let Some(address) = listener.tcp_addr().map_err(ServeError::Accept)? {
            builder = builder.own_address(address);
        }
    }
    let urls = listeners.iter().map(|listener| listener.url().to_string()).collect();
    let socket_files = listeners.iter().filter_map(http::Listener::socket_file).collect();
    let server = match builder.start() {
        // No job was started. The error names the listener.
        Err(StartError::KeyRequired) => {
            exposure::check(&listen, false, insecure)?;
            return Err(StartError::KeyRequired.into());
        }
        started => started?,
    };
    exposure::check(&listen, server.handle().needs_key(), insecure)?;
    let http_server = match http::start_all(server.handle(), listeners, pages::routes) {
        Ok(started) => started,
        Err(error) => {
            server.stop();
            return Err(ServeError::Accept(error));
        }
    };
    let http = http_server.handle();
    actix_web::rt::spawn(http_server);
    Ok(RunningServer { urls, http, server, socket_files })
}

/// Listens on every address of the configuration.
fn bind_all(config: &Config) -> Result<Vec<http::Listener>, ServeError> {
    let tls = config.tls.as_ref().map(TlsFiles::open).transpose().map_err(ServeError::Tls)?;
    let bind = |listen: &ListenAddress| {
        let bound = http::Listener::bind(listen);
        let bound = bound.map_err(|error| ServeError::Listen { listen: listen.clone(), error })?;
        Ok(match &tls {
            Some(tls) => bound.with_tls(tls),
            None => bound,
        })
    };
    config.listen.iter().map(bind).collect()
}

/// What the operator asks of one start of the server.
pub(super) struct ServerStart {
    /// Whether the database is a copy.
    pub(super) is_restored: bool,
    /// Whether other machines may be let in without a key.
    pub(super) insecure: bool,
    /// API key of a new database.
    pub(super) first_key: Option<KeySecret>,
}

/// Runs the server until a signal arrives and it has drained.
pub(super) async fn run_server(
    config: Config,
    start: ServerStart,
) -> Result<(), ServeError> {
    // Signals are handled before anything starts, so that a signal during the start drains as well.
    let mut signals = StopSignals::listen().map_err(ServeError::Signals)?;
    survive_file_size_limit().map_err(ServeError::Signals)?;
    ignore_others().map_err(ServeError::Signals)?;
    orphans::reap().map_err(ServeError::Signals)?;
    let database = config.database.to_string();
    let ServerStart { is_restored, insecure, first_key } = start;
    let prepare = |builder: Builder| {
        let builder = if is_restored { builder.restored() } else { builder };
        match first_key {
            Some(secret) => builder.first_key(secret),
            None => builder,
        }
    };
    let running = start_server(config, insecure, prepare).await?;
    tracing::info!(listen = running.urls.join(", "), database, "serving");
    running.log_capabilities();
    running.print_urls();
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
        running.remove_socket_files();
        running.server.stop();
    }
    Ok(())
}
