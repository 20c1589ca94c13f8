//! The HTTP server: accepts connections and bounds their number and their lives.

mod admission;
mod descriptors;
mod follow;
pub(super) mod listener;
mod progress;
mod rate;
mod socket;
mod stream;
mod tls;
mod verified_key;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServiceResponse};

use crate::config::Config;
use admission::{Admission, MAX_REFUSALS};
use listener::{Listener, Socket as Listening, UnixSocket};
pub(in crate::http) use progress::BODY_SECS;
use progress::Progress;
use socket::Socket;
use stream::Connection;
use tls::TlsSocket;
pub(in crate::http) use verified_key::VerifiedKey;
use watch::Watch;

/// Time that a client has to close its side of a connection that actix-web closes.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Time that running requests have to end once the server stops.
const STOP_GRACE_SECS: u64 = 5;

/// Returns the number of threads of the server.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Returns the maximum number of connections: the setting, or less if the limit on open files requires it.
pub(super) fn max_connections(config: &Config) -> usize {
    descriptors::max_connections(config, threads())
}

/// Starts a server on `listeners` for the application that `app` returns.
///
/// This is what `actix_web::HttpServer` does, with another type of connection: actix-web bounds the first
/// head of a connection and its idle time, and nothing else.
pub(super) fn serve<F, I, S, B>(
    max_connections: usize,
    listeners: Vec<Listener>,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + Unpin + 'static,
{
    let threads = threads();
    let admission = Admission::new(max_connections);
    let mut builder = ServerBuilder::new()
        .workers(threads)
        // Past this bound connections are not accepted, so that those which wait for a busy thread do
        // not use up the descriptors. It leaves room to refuse some.
        .max_concurrent_connections(max_connections.div_ceil(threads) + MAX_REFUSALS)
        .shutdown_timeout(STOP_GRACE_SECS)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let name = "longshore";
    for Listener(listening) in listeners {
        let (app, admission, stopping) = (app.clone(), Arc::clone(&admission), stopping.clone());
        builder = match listening {
            Listening::Tcp(listener) => builder.listen(name, listener, move || {
                connections(Socket::Tcp, &app, &admission, stopping.clone())
            })?,
            Listening::Tls(listener, files) => builder.listen(name, listener, move || {
                let files = Arc::clone(&files);
                let socket =
                    move |tcp| Socket::Tls(Box::new(TlsSocket::new(tcp, files.acceptor())));
                connections(socket, &app, &admission, stopping.clone())
            })?,
            Listening::Unix(UnixSocket { listener, file }) => {
                builder.listen_uds(name, listener, move || {
                    let _until_the_server_ends = &file;
                    connections(Socket::Unix, &app, &admission, stopping.clone())
                })?
            }
        };
    }
    Ok(builder.run())
}

/// Returns the service that serves the connections of one listener on one thread. `socket` makes the
/// transport of an accepted stream.
fn connections<Io, M, F, I, S, B>(
    socket: M,
    app: &F,
    admission: &Arc<Admission>,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<Io, Config = ()> + use<Io, M, F, I, S, B>
where
    Io: 'static,
    M: Fn(Io) -> Socket + Clone + 'static,
    F: Fn() -> I + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + Unpin + 'static,
{
    let http = HttpService::build()
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        // The limits of `Progress` need no timer for each request, and count only time in which the
        // thread was not busy.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A request is dropped as soon as its client closes the connection.
        .h1_allow_half_closed(false)
        .on_connect_ext(|connection: &Connection, data| {
            data.insert(connection.progress());
            data.insert(VerifiedKey::default());
            data.insert(connection.peer());
        })
        .h1(map_config(follow::follow(app()).map_err(|error| error.error_response()), |()| {
            AppConfig::default()
        }));
    let admission = Arc::clone(admission);
    let watch = Watch::new(Arc::clone(&admission));
    fn_service(move |stream| accept(socket(stream), Arc::clone(&admission), Rc::clone(&watch)))
        .and_then(http)
}

/// Admits a connection, or refuses it.
async fn accept(
    socket: Socket,
    admission: Arc<Admission>,
    watch: Rc<Watch>,
) -> Result<(Connection, Option<SocketAddr>), DispatchError> {
    let admitted = match admission.admit() {
        Some(admitted) => admitted,
        None if watch.end_one() => admission.admit_instead(),
        None => match admission.wait_for_room().await {
            Some(admitted) => admitted,
            None => {
                admission.refuse(socket).await;
                return Err(DispatchError::DisconnectTimeout);
            }
        },
    };
    socket.set_nodelay();
    let peer = socket.peer_addr();
    let progress = Rc::new(Progress::new());
    watch.add(&progress);
    Ok((Connection::new(socket, progress, admitted), peer))
}
