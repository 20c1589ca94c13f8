//! A load generator: keep-alive connections that send one request after another.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection of HTTP/1.1 that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, buffer: Vec::with_capacity(16 << 10) }
    }

    /// Sends a request and gives the status and body of its answer.
    pub async fn call(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let (status, body_at, length) = loop {
            self.read_some().await;
            if let Some(head) = parse_head(&self.buffer) {
                break head;
            }
        };
        while self.buffer.len() < body_at + length {
            self.read_some().await;
        }
        (status, self.buffer[body_at..body_at + length].to_vec())
    }

    async fn read_some(&mut self) {
        let count = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection");
    }
}

/// The status, where the body begins, and how long it is.
fn parse_head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("an ASCII head").to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some((status, end + 4, length.map_or(0, |length| length.parse().expect("a number"))))
}

/// A request with a JSON body.
pub fn post(path: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request without a body.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// Sends `request` over `connections` for `span`, on a thread of its own; calls a second.
pub fn calls_per_second(
    addr: SocketAddr,
    connections: usize,
    request: &[u8],
    status: u16,
    span: Duration,
) -> f64 {
    let request = request.to_vec();
    let thread = std::thread::spawn(move || {
        actix_rt::Runtime::new().expect("a runtime").block_on(async move {
            let began = Instant::now();
            let all = (0..connections).map(|_| repeat(addr, &request, status, began + span));
            let calls: u64 = futures_util::future::join_all(all).await.into_iter().sum();
            calls as f64 / began.elapsed().as_secs_f64()
        })
    });
    thread.join().expect("the load generator ends")
}

async fn repeat(addr: SocketAddr, request: &[u8], status: u16, until: Instant) -> u64 {
    let mut connection = Connection::open(addr).await;
    let mut calls = 0;
    while Instant::now() < until {
        let (got, body) = connection.call(request).await;
        assert_eq!(got, status, "{}", String::from_utf8_lossy(&body));
        calls += 1;
    }
    calls
}
