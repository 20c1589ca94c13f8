//! The HTTP API: extract, call [`Handle`], map the answer. No rules here.

mod answer;
mod batches;
mod body;
mod guard;
mod health;
mod jobs;
mod key;
mod prefer;
mod problem;
mod query;
mod queues;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};

use crate::server::Handle;

/// How many connections may wait to be taken.
const BACKLOG: u32 = 4_096;

/// How long an idle connection is kept. Longer than the usual 60 s of proxies before it, which
/// then close it first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests may go on once the server stops.
const STOP_GRACE_SECS: u64 = 5;

/// Every route of the API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(health::healthz())
        .service(health::readyz())
        .service(
            web::scope("/v1")
                .service(jobs::all())
                .service(jobs::one())
                .service(jobs::cancel())
                .service(jobs::retry())
                .service(batches::all())
                .service(batches::one())
                .service(batches::cancel())
                .service(queues::all())
                .service(queues::one()),
        )
        .default_service(web::to(problem::no_such_place));
}

/// Starts the HTTP server on `listen` and tells where it listens; port 0 takes a free one.
///
/// `extend` may add routes of the application's own. The server runs until it is stopped by its
/// handle; it takes no signals.
///
/// # Errors
/// Where the address cannot be listened on.
pub fn start(
    handle: Handle,
    listen: SocketAddr,
    extend: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    start_on(handle, TcpListener::bind(listen)?, extend)
}

/// As [`start`], on a socket that listens already.
///
/// # Errors
/// Where the socket cannot be used.
pub fn start_on(
    handle: Handle,
    listener: TcpListener,
    extend: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    let listen = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(handle.clone()))
            .wrap(from_fn(guard::same_site))
            .configure(extend.clone())
            .configure(routes)
    })
    .backlog(BACKLOG)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(STOP_GRACE_SECS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((server, listen))
}
