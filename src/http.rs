//! The HTTP API: extract, call [`Handle`], map the answer. No rules here.

mod answer;
mod batches;
mod body;
mod deeds;
mod events;
mod guard;
mod health;
mod jobs;
mod key;
mod kinds;
mod leases;
mod many;
mod prefer;
mod problem;
mod query;
mod queues;
mod stats;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};
use tokio::net::TcpSocket;

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

/// Every route of the API. They are tried in this order, so the frequent ones come first; a scope
/// would be one more step.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(jobs::all())
        // Before single jobs, whose path would take these as well. A fixed path costs next to nothing.
        .service(deeds::cancel())
        .service(deeds::retry())
        .service(deeds::delete())
        .service(jobs::one())
        .service(leases::all())
        .service(leases::many())
        .service(leases::one())
        .service(jobs::cancel())
        .service(jobs::retry())
        .service(jobs::log())
        .service(batches::all())
        .service(batches::one())
        .service(batches::cancel())
        .service(queues::all())
        .service(queues::one())
        .service(events::of_job())
        .service(events::of_batch())
        .service(events::of_all())
        .service(stats::all())
        .service(kinds::all())
        .service(health::healthz())
        .service(health::readyz())
        .default_service(web::to(problem::no_such_place));
}

/// Listens on an address; port 0 takes a free one. Connections wait until [`start`] takes them.
///
/// # Errors
/// Where the address cannot be listened on.
pub fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does it, which has no way to say how many may wait.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Starts the HTTP server on `listener` and tells where it listens.
///
/// `extend` may add routes of the application's own. The server runs until it is stopped by its
/// handle; it takes no signals.
///
/// # Errors
/// Where the listener cannot be used.
pub fn start(
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
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .client_request_timeout(HEAD_TIMEOUT)
    // A client that has gone away no longer waits.
    .h1_allow_half_closed(false)
    .shutdown_timeout(STOP_GRACE_SECS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((server, listen))
}
