//! Tests of the queue with logs that fail, block and recover.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender};

use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const SOON: Duration = Duration::from_secs(10);

/// Result of the next writes to a log.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// This many bytes fit, then the disk is full.
    FullAfter(usize),
    WouldBlock,
}

/// A log in memory.
#[derive(Clone)]
struct TestLog {
    text: Arc<Mutex<String>>,
    fault: Arc<Mutex<Fault>>,
}

impl TestLog {
    fn new(fault: Fault) -> Self {
        Self { text: Arc::default(), fault: Arc::new(Mutex::new(fault)) }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Write for TestLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut fault = self.fault.lock().unwrap();
        let count = match &mut *fault {
            Fault::None => bytes.len(),
            Fault::FullAfter(0) => return Err(io::ErrorKind::StorageFull.into()),
            Fault::FullAfter(room) => {
                let count = bytes.len().min(*room);
                *room -= count;
                count
            }
            Fault::WouldBlock => return Err(io::ErrorKind::WouldBlock.into()),
        };
        self.text.lock().unwrap().push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log whose writes wait for the test.
struct BlockedLog {
    blocked: Sender<()>,
    released: Receiver<()>,
}

impl Write for BlockedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.blocked.send(());
        let _ = self.released.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn queue_of(log: impl Write + Send + 'static) -> LogQueue {
    LogQueue::start(log, Arc::default()).unwrap()
}

#[test]
fn lines_are_written_in_order_and_flushed() {
    let log = TestLog::new(Fault::None);
    let queue = queue_of(log.clone());
    for line in ["one\n", "two\n", "three\n"] {
        queue.push(line.as_bytes());
    }
    assert!(queue.flush(SOON));
    assert_eq!(log.text(), "one\ntwo\nthree\n");
}

#[test]
fn a_log_that_blocks_delays_neither_the_senders_nor_the_end() {
    let (blocked, is_blocked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let queue = queue_of(BlockedLog { blocked, released });
    queue.push(b"first\n");
    is_blocked.recv_timeout(SOON).unwrap();
    for _ in 0..MAX_LINES + 10 {
        queue.push(b"line\n");
    }
    assert_eq!(queue.counters.lost_lines.load(Ordering::Relaxed), 10);
    assert!(!queue.flush(Duration::from_millis(50)));
    drop(release);
}

#[test]
fn long_lines_are_bounded_by_their_bytes() {
    let (blocked, is_blocked) = mpsc::channel();
    let (_release, released) = mpsc::channel::<()>();
    let queue = queue_of(BlockedLog { blocked, released });
    queue.push(b"first\n");
    is_blocked.recv_timeout(SOON).unwrap();
    let long = vec![b'x'; MAX_BYTES / 4];
    for _ in 0..6 {
        queue.push(&long);
    }
    assert_eq!(queue.counters.lost_lines.load(Ordering::Relaxed), 2);
    assert_eq!(queue.counters.queued_bytes.load(Ordering::Relaxed), MAX_BYTES);
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_reported_when_writing_works_again() {
    let log = TestLog::new(Fault::FullAfter(7));
    let repeats = Arc::<Repeats>::default();
    let queue = LogQueue::start(log.clone(), repeats).unwrap();
    let subscriber = tracing_subscriber::registry()
        .with(fmt::layer().with_writer(queue.clone()).without_time().with_ansi(false));
    // The thread of the log uses the subscriber of the process, which a test must not set.
    let _ = tracing::subscriber::set_global_default(subscriber);
    for line in ["one\n", "two\n", "three\n"] {
        queue.push(line.as_bytes());
    }
    // "two" was written in part.
    assert!(queue.flush(SOON));
    assert_eq!(log.text(), "one\ntwo");
    assert_eq!(queue.counters.lost_lines.load(Ordering::Relaxed), 2);
    log.set(Fault::None);
    queue.push(b"four\n");
    assert!(queue.flush(SOON));
    let text = log.text();
    assert!(text.starts_with("one\ntwo\nfour\n"), "{text}");
    assert!(text.contains("WARN") && text.contains("lines=2"), "{text}");
    assert_eq!(queue.counters.lost_lines.load(Ordering::Relaxed), 0);
}

#[test]
fn a_non_blocking_log_is_written_when_it_has_room() {
    let log = TestLog::new(Fault::WouldBlock);
    let queue = queue_of(log.clone());
    queue.push(b"line\n");
    assert!(!queue.flush(Duration::from_millis(50)));
    log.set(Fault::None);
    assert!(queue.flush(SOON));
    assert_eq!(log.text(), "line\n");
}
