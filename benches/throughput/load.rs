//! The load generator: keep-alive connections that send one request after another.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::kit::http::request;

/// Body of a request that submits one job.
pub const BODY: &str = r#"{"kind":"echo","queue":"bench","payload":{"user":42,"text":"hello"}}"#;

/// Interval at which a paced load releases the calls that are due.
const TICK: Duration = Duration::from_millis(5);

/// A persistent HTTP/1.1 connection. Unlike the connection of the kit it is asynchronous, so that one
/// thread serves many.
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

    /// Sends a request and returns the status and body of the response.
    pub async fn call(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let (status, body_at, length) = loop {
            self.read_some().await;
            if let Some(head) = parse_head(&self.buffer) {
                break head;
            }
        };
        let end = body_at + length;
        self.buffer.reserve(end.saturating_sub(self.buffer.len()));
        while self.buffer.len() < end {
            self.read_some().await;
        }
        (status, &self.buffer[body_at..end])
    }

    /// Sends a request and returns the body. Panics if the response has another status.
    pub async fn expect(&mut self, status: u16, request: &[u8]) -> &[u8] {
        let (found, body) = self.call(request).await;
        assert_eq!(found, status, "{}", String::from_utf8_lossy(body));
        body
    }

    async fn read_some(&mut self) {
        let count = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection");
    }
}

/// Returns the status, the offset of the body and its length; `None` if the head is incomplete.
fn parse_head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("an ASCII head").to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some((status, end + 4, length.map_or(0, |length| length.parse().expect("a number"))))
}

/// Returns a POST request with a body.
pub fn post(path: &str, content_type: &str, body: &str) -> Bytes {
    message("POST", path, &[("content-type", content_type)], body)
}

/// Returns a POST request with a JSON body and an API key.
pub fn post_with(path: &str, key: &str, body: &str) -> Bytes {
    let authorization = format!("Bearer {key}");
    let headers = [("content-type", "application/json"), ("authorization", &*authorization)];
    message("POST", path, &headers, body)
}

/// Returns a GET request.
pub fn get(path: &str) -> Bytes {
    message("GET", path, &[], "")
}

fn message(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Bytes {
    request(method, path, "localhost", headers, body.as_bytes()).into()
}

/// Number of calls made, and the time that they took.
pub struct Calls {
    pub count: u64,
    pub secs: f64,
}

impl Calls {
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.secs
    }
}

/// Condition that ends a load.
#[derive(Clone, Copy)]
pub enum Until {
    /// A duration has passed.
    Over(Duration),
    /// A number of calls has been made.
    Made(u64),
}

/// Target of a load, and the status that each response must have.
#[derive(Clone, Copy)]
pub struct Target {
    pub addr: SocketAddr,
    pub connections: usize,
    pub status: u16,
}

impl Target {
    /// Sends calls over all connections, on a separate thread. `request` makes each call from its number.
    pub fn call(self, until: Until, request: impl Fn(u64) -> Bytes + Send + 'static) -> Calls {
        generate(move || async move {
            let started = Instant::now();
            let made = Cell::new(0);
            let must_continue = || match until {
                Until::Over(span) => started.elapsed() < span,
                Until::Made(max) => made.get() < max,
            };
            let repeat = async || {
                let mut connection = Connection::open(self.addr).await;
                while must_continue() {
                    let number = made.replace(made.get() + 1);
                    connection.expect(self.status, &request(number)).await;
                }
            };
            join_all((0..self.connections).map(|_| repeat())).await;
            Calls { count: made.get(), secs: started.elapsed().as_secs_f64() }
        })
    }

    /// Sends calls at a fixed rate, as long as the connections keep up with it.
    pub fn call_paced(self, span: Duration, per_second: f64, request: Bytes) -> Calls {
        generate(move || async move {
            let started = Instant::now();
            let made = Cell::new(0);
            let due = Semaphore::new(0);
            let repeat = async || {
                let mut connection = Connection::open(self.addr).await;
                while let Ok(permit) = due.acquire().await {
                    permit.forget();
                    connection.expect(self.status, &request).await;
                    made.set(made.get() + 1);
                }
            };
            let all = join_all((0..self.connections).map(|_| repeat()));
            join(all, release(&due, started, span, per_second)).await;
            Calls { count: made.get(), secs: started.elapsed().as_secs_f64() }
        })
    }
}

/// Releases at each tick the calls that are due by then, and closes `due` when the time is over.
async fn release(due: &Semaphore, started: Instant, span: Duration, per_second: f64) {
    let mut ticks = tokio::time::interval(TICK);
    let mut released = 0;
    while started.elapsed() < span {
        ticks.tick().await;
        let by_now = (started.elapsed().as_secs_f64() * per_second) as usize;
        due.add_permits(by_now - released);
        released = by_now;
    }
    due.close();
}

/// Runs a load on a separate thread and waits for its end.
pub fn generate<F: Future>(load: impl FnOnce() -> F + Send + 'static) -> F::Output
where
    F::Output: Send + 'static,
{
    let run = move || actix_rt::Runtime::new().expect("a runtime").block_on(load());
    std::thread::spawn(run).join().expect("the load generator ends")
}
