//! Servers on free loopback ports that do as a test wants, right or wrong.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The first line.
    pub(crate) line: String,
    /// The headers, their names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} came twice");
        value
    }
}

/// One connection, as the server sees it.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Which connection this is, from 0.
    pub(crate) number: usize,
}

impl Connection {
    /// The next request; none where the client closed the connection instead.
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

    /// Sends bytes; false where the client is gone.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Waits until the client closes the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    }
}

/// Serves every connection with `serve` on a free port, and tells the URL.
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

/// What a server saw: the number of the connection and the request.
pub(crate) type Seen = mpsc::UnboundedReceiver<(usize, Request)>;

/// Answers every request with the same bytes, and tells the URL and the requests.
pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> (String, Seen) {
    let (seen, requests) = mpsc::unbounded_channel();
    let answer = Rc::new(answer.into());
    let url = listen(move |mut connection| {
        let (seen, answer) = (seen.clone(), Rc::clone(&answer));
        async move {
            while let Some(request) = connection.request().await {
                // The test may have seen enough.
                let _ = seen.send((connection.number, request));
                connection.send(&*answer).await;
            }
        }
    })
    .await;
    (url, requests)
}

/// An answer with its length.
pub(crate) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An answer of JSON.
pub(crate) fn json_answer(body: &str) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", body)
}
