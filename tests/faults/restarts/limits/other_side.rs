//! The server that the jobs call: it counts how many calls are in progress at once, by path.

use std::collections::BTreeMap;
use std::io::{BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::kit::http::{Request, json_response};

/// Time that a call takes, except those of the path `/rated`, which are answered at once.
const CALL: Duration = Duration::from_millis(400);

const ANSWER: &str = r#"{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}"#;

#[derive(Default)]
struct Calls {
    /// Calls in progress, by number.
    open: BTreeMap<usize, (String, TcpStream)>,
    next: usize,
    /// Maximum number of calls in progress at once, by path.
    peaks: BTreeMap<String, usize>,
    /// Times at which calls of the path `/rated` arrived.
    arrivals: Vec<Instant>,
}

/// HTTP server that runs until the test ends.
pub(super) struct OtherSide {
    addr: SocketAddr,
    calls: Arc<Mutex<Calls>>,
}

impl OtherSide {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Calls::default()));
        let shared = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let calls = Arc::clone(&shared);
                std::thread::spawn(move || serve(&calls, stream));
            }
        });
        Self { addr, calls }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Returns the times at which calls of the path `/rated` arrived, in order.
    pub(super) fn arrivals(&self) -> Vec<Instant> {
        self.calls.lock().unwrap().arrivals.clone()
    }

    /// Returns the maximum number of calls of a path that were in progress at once.
    pub(super) fn peak(&self, path: &str) -> usize {
        self.calls.lock().unwrap().peaks.get(path).copied().unwrap_or(0)
    }
}

/// Answers the calls of one connection.
fn serve(calls: &Mutex<Calls>, stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        if request.path == "/rated" {
            calls.lock().unwrap().arrivals.push(Instant::now());
        } else {
            let number = calls.lock().unwrap().begin(&request.path, reader.get_ref());
            std::thread::sleep(CALL);
            // Before the answer, because the next call may arrive as soon as it is sent.
            calls.lock().unwrap().open.remove(&number);
            reader.get_ref().set_read_timeout(None).unwrap();
        }
        // Fails if the caller was killed.
        let _ = reader.get_mut().write_all(&json_response(ANSWER));
    }
}

impl Calls {
    /// Counts a call together with those of its path whose caller still waits, and returns its number.
    fn begin(&mut self, path: &str, stream: &TcpStream) -> usize {
        self.open.retain(|_, (_, caller)| is_open(caller));
        // A look at the connection must not wait for long.
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        self.next += 1;
        self.open.insert(self.next, (path.to_owned(), stream.try_clone().unwrap()));
        let running = self.open.values().filter(|(known, _)| known == path).count();
        let peak = self.peaks.entry(path.to_owned()).or_default();
        *peak = running.max(*peak);
        self.next
    }
}

/// Returns whether the caller at the other end has neither closed the connection nor been killed.
fn is_open(caller: &TcpStream) -> bool {
    match caller.peek(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
