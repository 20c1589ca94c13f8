//! Scripted HTTP servers on free loopback ports, whose responses may be valid or invalid.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request as the server received it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request line.
    pub(crate) line: String,
    /// Headers with lowercase names.
    pub(crate) headers: Vec<(String, String)>,
    /// Body of the request.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header, which must not occur more than once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} occurs more than once");
        value
    }
}

/// A connection of a client to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Number of the connection, counted from 0.
    pub(crate) number: usize,
}

impl Connection {
    /// Reads the next request. Returns `None` if the client closed the connection.
    pub(crate) async fn request(&mut self) -> Option<Request> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let text = String::from_utf8(head).unwrap();
        let mut lines = text.trim_end().lines();
        let line = lines.next().unwrap().to_owned();
        let split = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers: Vec<_> = lines.map(split).collect();
        let mut request = Request { line, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body = vec![0; length];
        self.stream.read_exact(&mut request.body).await.ok()?;
        Some(request)
    }

    /// Sends bytes. Returns false if the client closed the connection.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Waits until the client closes the connection.
    pub(crate) async fn wait_until_closed(&mut self) {
        let mut ignored = [0; 1024];
        while self.stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
    }
}

/// Serves every connection with `serve` on a free port, and returns the URL.
pub(crate) async fn listen<Fut>(serve: impl Fn(Connection) -> Fut + 'static) -> String
where
    Fut: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    actix_rt::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            actix_rt::spawn(serve(Connection { stream, number }));
        }
    });
    url
}

/// Requests that a server received, each with the number of its connection.
pub(crate) type SeenRequests = mpsc::UnboundedReceiver<(usize, Request)>;

/// Starts a server that sends the same bytes for every request. Returns its URL and the requests.
pub(crate) async fn start_server(response: impl Into<Vec<u8>>) -> (String, SeenRequests) {
    let (seen, requests) = mpsc::unbounded_channel();
    let response = Rc::new(response.into());
    let url = listen(move |mut connection| {
        let (seen, response) = (seen.clone(), Rc::clone(&response));
        async move {
            while let Some(request) = connection.request().await {
                // This fails if the test needs no more requests and has dropped the receiver.
                let _ = seen.send((connection.number, request));
                connection.send(&*response).await;
            }
        }
    })
    .await;
    (url, requests)
}

/// Returns a response with a `content-length`.
pub(crate) fn response(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Returns a response with status 200 and a JSON body.
pub(crate) fn json_response(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", body)
}
