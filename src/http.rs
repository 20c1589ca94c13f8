//! The HTTP API. Each handler extracts its input, calls [`Handle`] and maps the answer; rules are in
//! the layers below.

mod batches;
mod bulk;
mod events;
mod health;
mod jobs;
mod kinds;
mod leases;
mod problem;
mod queues;
mod request;
mod response;
mod routes;
mod stats;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, HttpServer, Scope};
use tokio::net::TcpSocket;

use crate::server::Handle;
pub use routes::routes;

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Time after which an idle connection is closed. Longer than the usual 60 s of a reverse proxy, so
/// that the proxy closes the connection first and never sends a request on a closed one.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Maximum time in which a client must send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that running requests have to end once the server stops.
const STOP_GRACE_SECS: u64 = 5;

/// Returns the API as a service of an actix-web application of the caller's own, with the pages if
/// `extend` is `pages::routes`.
///
/// Requests that a browser sends for pages of other sites are refused, as by [`start`]; this applies
/// to the routes of the scope and not to the other routes of the application. To accept host names
/// other than `localhost`, list them in [`Config::hosts`](crate::config::Config::hosts).
///
/// - The paths are `/v1/...`, `/healthz` and `/readyz`, and with the pages `/`, `/jobs`, `/batches`,
///   `/queues`, `/submit`, `/demo` and `/assets`. Links and redirects name these paths, so the scope
///   does not work under a prefix.
/// - Register the scope last: it takes every path that no earlier service has taken, and answers
///   paths that it does not know with 404. An application with its own `/` shows that instead of the
///   overview.
/// - To keep all paths apart, give the scope a host name of its own:
///   `scope(...).guard(guard::Host("jobs.example.com"))`.
/// - The HTTP server is the caller's: with `h1_allow_half_closed(false)`, a request that waits ends
///   as soon as its client closes the connection, as it does with [`start`].
///
/// ```no_run
/// use actix_web::{App, HttpServer, web};
/// use longshore::{http, pages, server::Server};
///
/// # async fn example(server: Server) -> std::io::Result<()> {
/// let handle = server.handle();
/// HttpServer::new(move || {
///     App::new()
///         .route("/hello", web::get().to(|| async { "hello" }))
///         .service(http::scope(handle.clone(), pages::routes))
/// })
/// .h1_allow_half_closed(false)
/// .bind(("127.0.0.1", 8080))?
/// .run()
/// .await
/// # }
/// ```
pub fn scope(
    handle: Handle,
    extend: impl FnOnce(&mut ServiceConfig),
) -> Scope<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + 'static>,
        Error = Error,
        InitError = (),
    > + 'static,
> {
    web::scope("")
        .app_data(web::Data::new(handle))
        .wrap(from_fn(request::guard::admit))
        .configure(routes)
        .configure(extend)
}

/// Listens on an address; port 0 picks a free one. Connections wait until [`start`] accepts them.
///
/// # Errors
/// Returns the error of the operating system if it cannot listen on the address.
pub fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As `std::net::TcpListener::bind` does, which does not let the caller choose the backlog.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Starts the HTTP server on `listener` and returns it with the address on which it listens.
///
/// `extend` can add the application's own routes, or the pages (`pages::routes`); they are tried
/// after those of the API. The server runs until it is stopped through its handle; it does not
/// handle signals.
///
/// # Errors
/// Returns the error of the operating system if the listener cannot be used.
pub fn start(
    handle: Handle,
    listener: TcpListener,
    extend: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    let listen = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(handle.clone()))
            .wrap(from_fn(request::guard::admit))
            .configure(routes)
            .configure(extend.clone())
    })
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .client_request_timeout(HEAD_TIMEOUT)
    // A request is dropped as soon as its client closes the connection.
    .h1_allow_half_closed(false)
    .shutdown_timeout(STOP_GRACE_SECS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((server, listen))
}
