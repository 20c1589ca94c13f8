//! HTTP servers whose responses a test scripts, valid or not.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};

use super::message::{Request, response};

/// Connection of a client that waits for its answer.
pub(crate) struct OpenReply {
    stream: BufReader<TcpStream>,
    /// Number of the connection, counted from 0.
    pub(crate) number: usize,
}

impl OpenReply {
    /// Sends raw bytes. Returns false if the client has closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Answers a request. Errors are ignored, because the client may have closed the connection.
    pub(crate) fn answer(&mut self, status: &str, headers: &str, body: &str) {
        self.send(response(status, headers, body));
    }

    /// Starts a response that is an event stream, to be sent in chunks with [`OpenReply::send_chunk`].
    pub(crate) fn start_events(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        self.send(head);
    }

    /// Sends the next chunk of the event stream. An empty chunk ends the response.
    pub(crate) fn send_chunk(&mut self, text: &str) {
        self.send(format!("{:x}\r\n{text}\r\n", text.len()));
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
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), serve)
    }

    /// Starts a server on a listener.
    pub(crate) fn on(
        listener: TcpListener,
        serve: impl Fn(&mut OpenReply, Request) + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    let mut caller = OpenReply { stream: BufReader::new(stream), number };
                    while let Some(request) = Request::read(&mut caller.stream) {
                        serve(&mut caller, request);
                    }
                });
            }
        });
        Self { addr }
    }

    /// Starts a server that answers each request with `start` and then with `piece` again and again, until
    /// the client closes the connection.
    pub(crate) fn endless(start: &'static str, piece: &'static str) -> Self {
        let pieces = piece.repeat(100);
        Self::start(move |caller, _| {
            caller.send(start);
            while caller.send(&pieces) {}
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// Blocks the handlers of requests until the test lets them continue.
pub(crate) struct Gate(Mutex<mpsc::Receiver<()>>);

impl Gate {
    pub(crate) fn wait(&self) {
        // An error means that the sender was dropped.
        let _ = self.0.lock().unwrap().recv();
    }
}

/// Returns a gate and its sender. Each value that is sent lets one handler continue, and dropping the
/// sender lets all of them continue.
pub(crate) fn gate() -> (mpsc::Sender<()>, Gate) {
    let (sender, receiver) = mpsc::channel();
    (sender, Gate(Mutex::new(receiver)))
}
