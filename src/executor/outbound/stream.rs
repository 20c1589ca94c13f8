//! The connections of calls, as awc sees them.
//!
//! awc reads and writes plain HTTP here, even if the connection uses TLS. TLS is below this layer,
//! because TLS inside awc would hide the responses from `Exchange`.

mod socket;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready};
use actix_tls::connect::rustls_0_23::TlsConnector;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::dev::{Service, fn_service};
use awc::http::Uri;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::executor::outbound::exchange::Exchange;
use crate::executor::outbound::network::Route;
use crate::executor::outbound::target::TlsName;
use socket::Socket;

/// A connection on which each request gets only the bytes of its own response.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    exchange: Exchange,
}

/// Returns a service that connects to a host on a route, with TLS if `tls` is set.
pub(super) fn connector(
    route: Route,
    tls: Option<Arc<ClientConfig>>,
) -> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, Stream>, Error = ConnectError>
+ Clone
+ 'static {
    fn_service(move |info: ConnectInfo<Uri>| {
        let (route, tls) = (route.clone(), tls.clone());
        async move {
            let uri = info.request().clone();
            let tcp = route.connect(&uri).await?;
            // A request is written as a whole, so Nagle's algorithm would only delay it.
            tcp.set_nodelay(true).map_err(ConnectError::Io)?;
            let socket = match tls {
                None => Socket::Plain(tcp),
                Some(tls) => {
                    let connection = Connection::new(TlsName::of(&uri), tcp);
                    let handshake = TlsConnector::service(tls).call(connection);
                    let (tls, _) = handshake.await.map_err(ConnectError::Io)?.into_parts();
                    Socket::Tls(Box::new(tls))
                }
            };
            let exchange = Exchange::default();
            Ok::<_, ConnectError>(Connection::new(uri, Stream { socket, exchange }))
        }
    })
}

impl ActixStream for Stream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.socket.tcp(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.socket.tcp(), cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, exchange } = self.get_mut();
        loop {
            if exchange.deliver(buf) {
                return Poll::Ready(Ok(()));
            }
            let start = buf.filled().len();
            match Pin::new(&mut *socket).poll_read(cx, buf) {
                Poll::Ready(read) => read?,
                Poll::Pending if exchange.is_idle() && !socket.is_idle() => {}
                Poll::Pending => return Poll::Pending,
            }
            if exchange.on_receive(buf, start)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, exchange } = self.get_mut();
        exchange.on_send(buf)?;
        Pin::new(socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
