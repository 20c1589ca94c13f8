//! HTTP servers for `http` jobs to call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// Received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header, whose name must be lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }
}

/// Connection of a client that waits for its answer.
pub(crate) struct OpenReply {
    stream: BufReader<TcpStream>,
}

impl OpenReply {
    /// Reads the next request, or returns `None` if the client has closed the connection.
    fn request(&mut self) -> Option<Request> {
        let line = self.line()?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut request = Request { method, path, headers: Vec::new(), body: Vec::new() };
        while let Some((name, value)) = self.line()?.split_once(':') {
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body = vec![0; length];
        self.stream.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// Answers a request. Errors are ignored, because the client may have closed the connection.
    pub(crate) fn answer(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    /// Starts a response that is an event stream, to be sent in chunks with [`OpenReply::send_chunk`].
    pub(crate) fn start_events(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let _ = self.stream.get_mut().write_all(head.as_bytes());
    }

    /// Sends the next chunk of the event stream. An empty chunk ends the response.
    pub(crate) fn send_chunk(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        let _ = self.stream.get_mut().write_all(chunk.as_bytes());
    }

    /// Closes the connection without an answer.
    pub(crate) fn disconnect(&mut self) {
        // Fails if the client has already closed the connection.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    /// Waits until the client closes the connection.
    pub(crate) fn wait_until_closed(&mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).is_ok_and(|count| count > 0) {}
    }
}

/// HTTP server that handles each request with a function of the test. It runs until the test ends.
pub(crate) struct Target {
    addr: SocketAddr,
}

impl Target {
    pub(crate) fn start(serve: impl Fn(&mut OpenReply, Request) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    let mut caller = OpenReply { stream: BufReader::new(stream) };
                    while let Some(request) = caller.request() {
                        serve(&mut caller, request);
                    }
                });
            }
        });
        Self { addr }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}
