//! Memory and wake-up times of 10,000 clients that each wait for a job, by events or by a long poll.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{self, Server};
use crate::load::{Connection, generate, get, post};
use crate::memory::resident_mb;
use crate::report::{Figure, quantile};

const CLIENTS: usize = 10_000;
/// Number of clients in the reference measurement.
const FEW: usize = 100;
/// Number of clients that are woken one by one.
const WOKEN: usize = 2_000;
/// Pause between two of these wake-ups.
const PAUSE: Duration = Duration::from_millis(2);
/// Number of connections that are opened at once.
const OPEN_GROUP: usize = 200;
/// Pause before the memory is read, so that the server is idle.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// How a client waits for its job.
#[derive(Clone, Copy)]
enum Wait {
    Events,
    Poll,
}

impl Wait {
    fn request(self, job: i64) -> Bytes {
        match self {
            Self::Events => get(&format!("/v1/jobs/{job}/events")),
            Self::Poll => get(&format!("/v1/jobs/{job}?wait=60s")),
        }
    }
}

/// Measurements of many waiting clients.
struct Measured {
    /// Growth of the server's memory while the clients wait, in MB.
    growth: f64,
    /// Times from sending a finish until its client is woken, in milliseconds.
    delays: Vec<f64>,
    /// Time until the remaining clients, whose jobs end together, are all woken, in seconds.
    together: f64,
}

/// Measures the memory and the wake-up times of 10,000 waiting clients.
pub fn run() -> Vec<Figure> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the limit of open files");
    let mut few = measure(Wait::Events, FEW, FEW).delays;
    let (few_p50, few_p99) = (quantile(&mut few, 0.5), quantile(&mut few, 0.99));
    let idle = idle_connections();
    let ids = |wait| match wait {
        Wait::Events => ["events.memory", "events.p50", "events.p99", "events.together"],
        Wait::Poll => ["poll.memory", "poll.p50", "poll.p99", "poll.together"],
    };
    let mut figures = Vec::new();
    for wait in [Wait::Events, Wait::Poll] {
        let Measured { growth, mut delays, together } = measure(wait, CLIENTS, WOKEN);
        let (p50, p99) = (quantile(&mut delays, 0.5), quantile(&mut delays, 0.99));
        let [memory, at_half, at_99, all] = ids(wait);
        let idle = (idle, "10,000 idle connections, MB");
        figures.push(Figure::new(
            memory,
            "memory of 10,000 waiting clients",
            (growth, "MB"),
            idle,
            None,
        ));
        let few = (few_p50, "p50 with 100 waiting clients, ms");
        figures.push(Figure::new(at_half, "wake-up of a client, p50", (p50, "ms"), few, None));
        let few = (few_p99, "p99 with 100 waiting clients, ms");
        figures.push(Figure::new(at_99, "wake-up of a client, p99", (p99, "ms"), few, None));
        let limit = (1.0, "the limit, s");
        figures.push(Figure::new(
            all,
            "wake-up of 8,000 clients whose jobs end together",
            (together, "s"),
            limit,
            None,
        ));
    }
    figures
}

/// Returns the growth of the server's memory by [`CLIENTS`] idle connections, in MB.
fn idle_connections() -> f64 {
    let server = Server::start();
    server.get("/readyz").expect(200);
    let before = resident_mb(&server);
    let connect = |_| {
        let mut connection = server.connect();
        let response = connection.request("GET", "/healthz", &[], b"");
        assert_eq!(response.expect("the server answers").status, 200);
        connection
    };
    let _connections: Vec<kit::Connection> = (0..CLIENTS).map(connect).collect();
    std::thread::sleep(SETTLE_TIME);
    resident_mb(&server) - before
}

/// Runs `clients` waiting clients, of which `woken` are woken one by one.
fn measure(wait: Wait, clients: usize, woken: usize) -> Measured {
    let server = Server::start();
    let job = json!({"kind": "wait", "lane": "remote", "payload": 1});
    server.post("/v1/jobs", &vec![job; clients].into()).expect(202);
    let tokens = lease_all(&server, clients);
    let before = resident_mb(&server);
    let addr = server.addr();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let client = std::thread::spawn(move || {
        generate(move || async move {
            let observed = Rc::new(Observed::default());
            start_clients(addr, wait, clients, &observed).await;
            ready.send(()).expect("the main thread waits");
            may_go.recv().expect("the main thread continues");
            wake(addr, &tokens, woken, &observed).await
        })
    });
    is_ready.recv().expect("all clients wait");
    std::thread::sleep(SETTLE_TIME);
    let growth = resident_mb(&server) - before;
    go.send(()).expect("the client thread waits");
    let (delays, together) = client.join().expect("the client thread ends");
    Measured { growth, delays, together }
}

/// Leases `count` jobs. Returns their ids and lease tokens.
fn lease_all(server: &Server, count: usize) -> Vec<(i64, i64)> {
    let number = |value: &Value| value.as_i64().expect("a number");
    let mut tokens = Vec::new();
    while tokens.len() < count {
        let lease = json!({"limit": 1_000, "lease": "1h", "wait": "5s"});
        let leased = server.post("/v1/leases", &lease).expect(200);
        let jobs = leased["jobs"].as_array().expect("jobs");
        tokens.extend(jobs.iter().map(|job| (number(&job["id"]), number(&job["lease_token"]))));
    }
    tokens
}

/// What the clients have observed so far.
#[derive(Default)]
struct Observed {
    /// Time at which each client saw its job end.
    ends: RefCell<Vec<Option<Instant>>>,
    /// Number of clients that have seen their job end.
    ended: Cell<usize>,
    /// Number of clients that are waiting or were.
    waiting: Cell<usize>,
}

/// Starts the clients, in groups of [`OPEN_GROUP`].
async fn start_clients(addr: SocketAddr, wait: Wait, clients: usize, observed: &Rc<Observed>) {
    observed.ends.borrow_mut().resize(clients, None);
    for first in (0..clients).step_by(OPEN_GROUP) {
        for index in first..(first + OPEN_GROUP).min(clients) {
            actix_rt::spawn(wait_for_end(addr, wait, index, Rc::clone(observed)));
        }
        while observed.waiting.get() < (first + OPEN_GROUP).min(clients) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits for the end of one job. The ids of the jobs start at 1.
async fn wait_for_end(addr: SocketAddr, wait: Wait, index: usize, observed: Rc<Observed>) {
    let mut stream = TcpStream::connect(addr).await.expect("the server listens");
    stream.write_all(&wait.request(index as i64 + 1)).await.expect("the server reads");
    let mut text = Vec::new();
    if let Wait::Events = wait {
        // The first event shows that the subscription is active.
        while !contains(&text, b"running") {
            assert!(stream.read_buf(&mut text).await.expect("events") > 0);
        }
    }
    observed.waiting.set(observed.waiting.get() + 1);
    while !contains(&text, b"completed") {
        assert!(stream.read_buf(&mut text).await.expect("events") > 0);
    }
    observed.ends.borrow_mut()[index] = Some(Instant::now());
    observed.ended.set(observed.ended.get() + 1);
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Ends `woken` jobs one by one, then the others together. Returns the delays of the first, in
/// milliseconds, and the time of the others, in seconds.
async fn wake(
    addr: SocketAddr,
    tokens: &[(i64, i64)],
    woken: usize,
    observed: &Observed,
) -> (Vec<f64>, f64) {
    let mut connection = Connection::open(addr).await;
    let mut sent = Vec::new();
    for (id, token) in &tokens[..woken] {
        let body = format!(r#"{{"lease_token":{token}}}"#);
        let complete = post(&format!("/v1/leases/{id}/complete"), "application/json", &body);
        sent.push((*id, Instant::now()));
        connection.expect(200, &complete).await;
        tokio::time::sleep(PAUSE).await;
    }
    until_ended(woken, observed).await;
    let delay = |(id, at): &(i64, Instant)| {
        let end = observed.ends.borrow()[*id as usize - 1].expect("the client saw the end");
        end.duration_since(*at).as_secs_f64() * 1e3
    };
    let delays = sent.iter().map(delay).collect();
    let started = Instant::now();
    for chunk in tokens[woken..].chunks(1_000) {
        let action = |(id, token): &(i64, i64)| {
            format!(r#"{{"action":"complete","id":{id},"lease_token":{token}}}"#)
        };
        let actions: Vec<String> = chunk.iter().map(action).collect();
        let finish =
            post("/v1/leases/finish", "application/json", &format!("[{}]", actions.join(",")));
        connection.expect(200, &finish).await;
    }
    until_ended(tokens.len(), observed).await;
    (delays, started.elapsed().as_secs_f64())
}

/// Waits until `count` clients have seen their job end.
async fn until_ended(count: usize, observed: &Observed) {
    let started = Instant::now();
    while observed.ended.get() < count {
        let ended = observed.ended.get();
        assert!(started.elapsed() < Duration::from_secs(60), "only {ended} of {count} clients");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
