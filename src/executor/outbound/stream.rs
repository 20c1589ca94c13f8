//! The connections of calls, which tell when they are dropped.
//!
//! awc ends a chunked body alike whether its last chunk came or the connection broke before it. But
//! it puts the connection back or closes it when the last chunk came, and else leaves it in the
//! body, so that the connection is dropped with the body. That difference is what is counted here.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::dev::{Service, fn_service};
use awc::http::Uri;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

thread_local! {
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// Drops `body`, and tells whether a connection went with it.
pub(super) fn drops_connection<T>(body: T) -> bool {
    let before = DROPPED.get();
    drop(body);
    DROPPED.get() > before
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Stream(TcpStream);

impl Drop for Stream {
    fn drop(&mut self) {
        // Fails while the thread ends, when nobody counts any more.
        let _ = DROPPED.try_with(|dropped| dropped.set(dropped.get().wrapping_add(1)));
    }
}

/// What finds a server and connects to it.
pub(super) fn connector()
-> impl Service<ConnectInfo<Uri>, Response = Connection<Uri, Stream>, Error = ConnectError>
+ Clone
+ 'static {
    fn_service(|info: ConnectInfo<Uri>| async move {
        let connection = TcpConnector::default().service().call(info).await?;
        let (stream, uri) = connection.into_parts();
        // A request goes out whole; waiting for more to send would only delay it.
        stream.set_nodelay(true).map_err(ConnectError::Io)?;
        Ok::<_, ConnectError>(Connection::new(uri, Stream(stream)))
    })
}

impl ActixStream for Stream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.0, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.0, cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
