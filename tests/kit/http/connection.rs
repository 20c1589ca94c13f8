//! A blocking HTTP/1.1 client that gives tests access to the raw bytes of a connection.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::message::{self, Response, read_chunk, read_line};

/// Timeout of reads and writes, which is longer than the longest `wait` of any test.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// Keep-alive connection.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    /// Value of the `Host` header.
    host: String,
}

/// A stream of bytes in both directions, such as TLS over TCP.
pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Connection {
    pub(crate) fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream, &addr.to_string()))
    }

    /// Uses a stream that is connected.
    pub(crate) fn over(stream: impl Stream + 'static, host: &str) -> Self {
        Self { stream: BufReader::new(Box::new(stream)), host: host.into() }
    }

    /// Sends raw bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends a request and reads its response.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let sent = self.send(message::request(method, path, &self.host, headers, body));
        // A server that refuses a body may close while it is still being sent.
        let answer = self.answer();
        match (sent, answer) {
            (_, Ok(answer)) => Ok(answer),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }

    /// Sends a `POST` with a JSON body and reads its response.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> io::Result<Response> {
        let headers = [("content-type", "application/json")];
        self.request("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Reads a response.
    pub(crate) fn answer(&mut self) -> io::Result<Response> {
        Response::read(&mut self.stream)
    }

    /// Reads a line without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        read_line(&mut self.stream)
    }

    /// Returns the next chunk of a chunked body, or `None` at its end.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        read_chunk(&mut self.stream)
    }

    /// Reads until the server closes the connection.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            // The server has closed the connection with unread data from this client.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection was not closed: {error}"),
        }
        rest
    }
}
