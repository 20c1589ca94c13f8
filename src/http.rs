//! The HTTP API. Each handler extracts its input, calls [`Handle`] and maps the answer; rules are in
//! the layers below.

mod batches;
mod bulk;
mod connection;
mod deliveries;
mod events;
mod jobs;
mod kinds;
mod leases;
mod operations;
mod problem;
mod queues;
mod request;
mod response;
mod routes;

use std::net::{SocketAddr, TcpListener};

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, Scope};

use crate::server::Handle;
pub use connection::listener::{Listener, SocketFile, TlsError, TlsFiles, bind};
pub use routes::{public, routes, scoped};

/// Returns the API as a service of an actix-web application of the caller's own, with the pages if
/// `extend` is `pages::routes`.
///
/// Requests that a browser sends for pages of other sites are refused, as by [`start`]; this applies
/// to the routes of the scope and not to the other routes of the application. To accept host names
/// other than `localhost`, list them in [`Config::hosts`](crate::config::Config::hosts).
///
/// - The paths are `/v1/...`, `/healthz` and `/readyz`, and with the pages `/`, `/jobs`, `/batches`, `/queues`,
///   `/providers`, `/submit`, `/demo`, `/keys`, `/login`, `/logout` and `/assets`. Links and redirects name these
///   paths, so the scope does not work under a prefix.
/// - Register the scope last: it takes every path that no earlier service has taken, and answers
///   paths that it does not know with 404. An application with its own `/` shows that instead of the
///   overview.
/// - Jobs must not call this server through its own addresses: add those of the application's HTTP server
///   with [`Handle::add_own_address`].
/// - To keep all paths apart, give the scope a host name of its own:
///   `scope(...).guard(guard::Host("jobs.example.com"))`.
/// - The HTTP server is the caller's, so it must bound connections, slow requests and answers that are not
///   read; [`start`] does, and the scope only bounds the total size of answers that are not sent
///   ([`Limits::max_answer_bytes_in_flight`](crate::config::Limits::max_answer_bytes_in_flight)). With `h1_allow_half_closed(false)`, a request that waits ends
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

/// Starts the HTTP server on `listener` and returns it with the address on which it listens.
///
/// `extend` can add the application's own routes, or the pages (`pages::routes`); they are tried
/// after those of the API. Connections are bounded in number, and end when their request or their answer
/// makes no progress. The server runs until it is stopped through its handle; it does not
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
    Ok((start_all(handle, vec![listener.into()], extend)?, listen))
}

/// Starts the HTTP server on several listeners, as [`start`] does on one.
///
/// ```no_run
/// use longshore::http::{self, Listener};
/// use longshore::{pages, server::Server};
///
/// # async fn example(server: Server) -> Result<(), Box<dyn std::error::Error>> {
/// let listeners = vec![
///     Listener::bind(&"127.0.0.1:7373".parse()?)?,
///     Listener::bind(&"unix:/run/longshore.sock?mode=0660".parse()?)?,
/// ];
/// http::start_all(server.handle(), listeners, pages::routes)?.await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns the error of the operating system if a listener cannot be used.
pub fn start_all(
    handle: Handle,
    listeners: Vec<Listener>,
    extend: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<Server> {
    let max_connections = connection::max_connections(handle.config());
    handle.bound_waits(max_connections);
    for listener in &listeners {
        if let Some(address) = listener.tcp_addr()? {
            handle.add_own_address(address);
        }
    }
    connection::serve(max_connections, listeners, move || {
        App::new()
            .app_data(web::Data::new(handle.clone()))
            .wrap(from_fn(request::guard::admit))
            .configure(routes)
            .configure(extend.clone())
    })
}
