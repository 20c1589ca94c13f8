//! The connections of calls, as awc sees them.
//!
//! What awc reads and writes here is HTTP, over TLS as well: the TLS that awc itself would lay over
//! a connection would hide the answers from `Exchange`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready};
use actix_tls::connect::rustls_0_23::TlsConnector;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::http::Uri;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::executor::outbound::exchange::Exchange;
use crate::executor::outbound::socket::Socket;

/// A connection that hands over whole answers, each to its own request.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Socket,
    exchange: Exchange,
}

/// What finds a server and connects to it, with TLS where it is given.
pub(super) fn connector(
    tls: Option<Arc<ClientConfig>>,
) -> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, Stream>, Error = ConnectError>
+ Clone
+ 'static {
    fn_service(move |info: ConnectInfo<Uri>| {
        let tls = tls.clone();
        async move {
            let connection = TcpConnector::default().service().call(info).await?;
            // A request goes out whole; waiting for more to send would only delay it.
            connection.io_ref().set_nodelay(true).map_err(ConnectError::Io)?;
            let (socket, uri) = match tls {
                None => {
                    let (tcp, uri) = connection.into_parts();
                    (Socket::Plain(tcp), uri)
                }
                Some(tls) => {
                    let handshake = TlsConnector::service(tls).call(connection);
                    let (tls, uri) = handshake.await.map_err(ConnectError::Io)?.into_parts();
                    (Socket::Tls(Box::new(tls)), uri)
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
            if exchange.hand_over(buf) {
                return Poll::Ready(Ok(()));
            }
            let start = buf.filled().len();
            match Pin::new(&mut *socket).poll_read(cx, buf) {
                Poll::Ready(read) => read?,
                Poll::Pending if exchange.is_quiet() && !socket.is_quiet() => {}
                Poll::Pending => return Poll::Pending,
            }
            if exchange.came(buf, start)? {
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
        exchange.ask(buf)?;
        Pin::new(socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
