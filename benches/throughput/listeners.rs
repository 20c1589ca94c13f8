//! Ten thousand clients that wait for a job each, by events or by a long poll.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Connection, generate, get, post};
use crate::program::Program;
use crate::report::{Figure, quantile};

const CLIENTS: usize = 10_000;
/// Beside how few others a wake-up is measured for reference.
const FEW: usize = 100;
/// How many of them are woken one by one.
const WOKEN: usize = 2_000;
/// The pause between two of those.
const PAUSE: Duration = Duration::from_millis(2);
/// How many connections are opened at once.
const OPENED: usize = 200;
const REST: Duration = Duration::from_secs(2);

/// What they wait with.
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

/// What was seen of many that wait.
struct Seen {
    /// Memory that they take in the server, MB.
    grown: f64,
    /// From sending a finish to the client that is woken by it, ms.
    delays: Vec<f64>,
    /// How long the rest takes to be woken that end together, in seconds.
    together: f64,
}

/// Memory and wake-ups of ten thousand that wait.
pub fn run() -> Vec<Figure> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the limit of open files");
    let mut few = measure(Wait::Events, FEW, FEW).delays;
    let (few_p50, few_p99) = (quantile(&mut few, 0.5), quantile(&mut few, 0.99));
    let idle = idle_connections();
    let named = |wait| match wait {
        Wait::Events => ["events.memory", "events.p50", "events.p99", "events.together"],
        Wait::Poll => ["poll.memory", "poll.p50", "poll.p99", "poll.together"],
    };
    let mut figures = Vec::new();
    for wait in [Wait::Events, Wait::Poll] {
        let Seen { grown, mut delays, together } = measure(wait, CLIENTS, WOKEN);
        let (p50, p99) = (quantile(&mut delays, 0.5), quantile(&mut delays, 0.99));
        let [memory, at_half, at_99, all] = named(wait);
        let idle = (idle, "10,000 idle connections, MB");
        figures.push(Figure::new(memory, "10,000 that wait: memory", (grown, "MB"), idle, None));
        let few = (few_p50, "p50 with 100 that wait, ms");
        figures.push(Figure::new(at_half, "a wake-up, p50", (p50, "ms"), few, None));
        let few = (few_p99, "p99 with 100 that wait, ms");
        figures.push(Figure::new(at_99, "a wake-up, p99", (p99, "ms"), few, None));
        let most = (1.0, "what it may take, s");
        figures.push(Figure::new(all, "8,000 that end together", (together, "s"), most, None));
    }
    figures
}

fn idle_connections() -> f64 {
    let program = Program::start();
    program.call(get("/readyz"));
    let before = program.resident();
    let addr = program.addr;
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (opened, is_open) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        generate(move || async move {
            let mut connections = Vec::new();
            for _ in 0..CLIENTS {
                let mut connection = Connection::open(addr).await;
                connection.expect(200, &get("/healthz")).await;
                connections.push(connection);
            }
            opened.send(()).expect("the measure waits");
            let _ = held.recv();
        });
    });
    is_open.recv().expect("they are open");
    std::thread::sleep(REST);
    let grown = program.resident() - before;
    drop(hold);
    client.join().expect("it ends");
    grown
}

fn measure(wait: Wait, clients: usize, woken: usize) -> Seen {
    let program = Program::start();
    let jobs: Vec<&str> = vec![r#"{"kind":"wait","lane":"remote","payload":1}"#; clients];
    let jobs = post("/v1/jobs", "application/json", &format!("[{}]", jobs.join(",")));
    let addr = program.addr;
    generate(move || async move {
        Connection::open(addr).await.expect(202, &jobs).await;
    });
    let tokens = lease_all(addr, clients);
    let before = program.resident();
    let pid_resident = || program.resident();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let client = std::thread::spawn(move || {
        generate(move || async move {
            let heard = Rc::new(CheckedLeaseReport::default());
            listen_all(addr, wait, clients, &heard).await;
            ready.send(()).expect("the measure waits");
            may_go.recv().expect("the measure goes on");
            wake(addr, &tokens, woken, &heard).await
        })
    });
    is_ready.recv().expect("all listen");
    std::thread::sleep(REST);
    let grown = pid_resident() - before;
    go.send(()).expect("it waits");
    let (delays, together) = client.join().expect("it ends");
    Seen { grown, delays, together }
}

fn lease_all(addr: SocketAddr, count: usize) -> Vec<(i64, i64)> {
    generate(move || async move {
        let mut connection = Connection::open(addr).await;
        let mut tokens = Vec::new();
        while tokens.len() < count {
            let lease = post(
                "/v1/leases",
                "application/json",
                r#"{"limit":1000,"lease":"1h","wait":"5s"}"#,
            );
            let leased: Value =
                serde_json::from_slice(connection.expect(200, &lease).await).expect("JSON");
            let jobs = leased["jobs"].as_array().expect("jobs");
            let token = |job: &Value| (job["id"].as_i64(), job["lease_token"].as_i64());
            tokens.extend(
                jobs.iter().map(token).map(|(id, token)| (id.unwrap_or(0), token.unwrap_or(0))),
            );
        }
        tokens
    })
}

/// When each client heard of its end.
#[derive(Default)]
struct CheckedLeaseReport {
    ends: RefCell<Vec<Option<Instant>>>,
    count: Cell<usize>,
    listening: Cell<usize>,
}

async fn listen_all(addr: SocketAddr, wait: Wait, clients: usize, heard: &Rc<CheckedLeaseReport>) {
    heard.ends.borrow_mut().resize(clients, None);
    for first in (0..clients).step_by(OPENED) {
        for index in first..(first + OPENED).min(clients) {
            actix_rt::spawn(listen(addr, wait, index, Rc::clone(heard)));
        }
        while heard.listening.get() < (first + OPENED).min(clients) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Jobs are numbered from 1.
async fn listen(addr: SocketAddr, wait: Wait, index: usize, heard: Rc<CheckedLeaseReport>) {
    let mut stream = TcpStream::connect(addr).await.expect("the server listens");
    stream.write_all(&wait.request(index as i64 + 1)).await.expect("the server reads");
    let mut text = Vec::new();
    if let Wait::Events = wait {
        // The first event: it listens.
        while !contains(&text, b"running") {
            assert!(stream.read_buf(&mut text).await.expect("events") > 0);
        }
    }
    heard.listening.set(heard.listening.get() + 1);
    while !contains(&text, b"completed") {
        assert!(stream.read_buf(&mut text).await.expect("events") > 0);
    }
    heard.ends.borrow_mut()[index] = Some(Instant::now());
    heard.count.set(heard.count.get() + 1);
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Ends some jobs one by one, then the others together.
async fn wake(
    addr: SocketAddr,
    tokens: &[(i64, i64)],
    woken: usize,
    heard: &CheckedLeaseReport,
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
    until_heard(woken, heard).await;
    let delay = |(id, at): &(i64, Instant)| {
        let heard = heard.ends.borrow()[*id as usize - 1].expect("it was heard");
        heard.duration_since(*at).as_secs_f64() * 1e3
    };
    let delays = sent.iter().map(delay).collect();
    let began = Instant::now();
    for some in tokens[woken..].chunks(1_000) {
        let told = |(id, token): &(i64, i64)| {
            format!(r#"{{"action":"complete","id":{id},"lease_token":{token}}}"#)
        };
        let told: Vec<String> = some.iter().map(told).collect();
        let finish =
            post("/v1/leases/finish", "application/json", &format!("[{}]", told.join(",")));
        connection.expect(200, &finish).await;
    }
    until_heard(tokens.len(), heard).await;
    (delays, began.elapsed().as_secs_f64())
}

async fn until_heard(count: usize, heard: &CheckedLeaseReport) {
    let began = Instant::now();
    while heard.count.get() < count {
        assert!(began.elapsed() < Duration::from_secs(60), "{} of {count}", heard.count.get());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
