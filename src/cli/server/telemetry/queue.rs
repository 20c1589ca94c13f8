//! The queue of log lines, and the thread that writes them.
//!
//! A thread of the server never waits for the reader of the log: a line that does not fit into the queue
//! is lost, and so is a line that cannot be written, for example because the disk is full or the reader
//! of a pipe is gone. Lost lines are counted. The count is logged once writing works again.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use super::repeats::Repeats;

/// Maximum number of lines in the queue, and maximum number of their bytes.
const MAX_LINES: usize = 1_024;
const MAX_BYTES: usize = 1 << 20;

/// Pause before a write is tried again that would block, because the log is non-blocking.
const BLOCKED_PAUSE: Duration = Duration::from_millis(10);

/// Interval at which lost lines and repeated lines are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Message to the thread that writes.
enum Message {
    /// Write this line.
    Line(Vec<u8>),
    /// Answer when all earlier lines are written or lost.
    Flush(SyncSender<()>),
    /// A repeated line was left out and is to be reported later.
    Repeated,
}

/// Counters that the senders share with the thread.
#[derive(Default)]
struct Counters {
    /// Number of bytes of the lines in the queue.
    queued_bytes: AtomicUsize,
    /// Number of lines that were lost and not reported yet.
    lost_lines: AtomicU64,
}

/// The queue of log lines. Clones are the same queue.
#[derive(Clone)]
pub(super) struct LogQueue {
    sender: SyncSender<Message>,
    counters: Arc<Counters>,
}

thread_local! {
    /// On the thread that writes: the buffer of a line that is formatted to be written directly.
    static OWN_LINE: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

impl LogQueue {
    /// Starts the thread that writes the lines to `log`.
    pub(super) fn start(
        log: impl Write + Send + 'static,
        repeats: Arc<Repeats>,
    ) -> io::Result<Self> {
        let (sender, messages) = mpsc::sync_channel(MAX_LINES);
        let counters = Arc::<Counters>::default();
        let queue = Self { sender, counters: Arc::clone(&counters) };
        let writer = LineWriter { log, is_torn: false };
        let thread = LogThread { messages, counters, repeats, writer, reported_at: Instant::now() };
        std::thread::Builder::new().name("log".into()).spawn(move || thread.run())?;
        Ok(queue)
    }

    /// Adds a line, or counts it as lost if it does not fit.
    fn push(&self, line: &[u8]) {
        let queued = self.counters.queued_bytes.fetch_add(line.len(), Ordering::Relaxed);
        let is_accepted = queued + line.len() <= MAX_BYTES
            && self.sender.try_send(Message::Line(line.to_vec())).is_ok();
        if !is_accepted {
            self.counters.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.counters.lost_lines.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has the thread report the repeated lines later. If the queue is full, the thread is awake and
    /// does so anyway.
    pub(super) fn note_repeated(&self) {
        let _ = self.sender.try_send(Message::Repeated);
    }

    /// Waits until all lines are written or lost, at most for `timeout`. Returns whether they are.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let (reply, is_flushed) = mpsc::sync_channel(1);
        let mut message = Message::Flush(reply);
        while let Err(TrySendError::Full(unsent)) = self.sender.try_send(message) {
            if Instant::now() >= deadline {
                return false;
            }
            message = unsent;
            std::thread::sleep(BLOCKED_PAUSE);
        }
        is_flushed.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// Writes one line to the queue. `tracing_subscriber` passes each line whole.
pub(super) struct QueueWriter<'a>(&'a LogQueue);

impl Write for QueueWriter<'_> {
    /// Never fails, because `tracing_subscriber` would report the error on stderr.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_own = OWN_LINE.with_borrow_mut(|own| own.as_mut().map(|own| own.extend(line)));
        if is_own.is_none() {
            self.0.push(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = QueueWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        QueueWriter(self)
    }
}

/// The thread that writes the lines.
struct LogThread<W> {
    messages: Receiver<Message>,
    counters: Arc<Counters>,
    repeats: Arc<Repeats>,
    writer: LineWriter<W>,
    /// Time of the last report of lost and repeated lines.
    reported_at: Instant,
}

impl<W: Write> LogThread<W> {
    /// Writes lines until the process ends. It sleeps while there is nothing to write or to report.
    fn run(mut self) {
        loop {
            match self.next() {
                Ok(Message::Line(line)) => {
                    self.counters.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                    if !self.writer.write_line(&line) {
                        self.counters.lost_lines.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(Message::Flush(reply)) => {
                    self.report();
                    // The caller has gone away if its timeout is over.
                    let _ = reply.send(());
                }
                Ok(Message::Repeated) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.has_reports() && self.reported_at.elapsed() >= REPORT_INTERVAL {
                self.report();
            }
        }
    }

    fn next(&self) -> Result<Message, RecvTimeoutError> {
        if self.has_reports() {
            self.messages.recv_timeout(REPORT_INTERVAL)
        } else {
            self.messages.recv().map_err(|_disconnected| RecvTimeoutError::Disconnected)
        }
    }

    fn has_reports(&self) -> bool {
        self.counters.lost_lines.load(Ordering::Relaxed) > 0 || self.repeats.has_left_out()
    }

    /// Reports the lost lines, and the repeated lines of intervals that are over.
    fn report(&mut self) {
        self.reported_at = Instant::now();
        let lines = self.counters.lost_lines.load(Ordering::Relaxed);
        if lines > 0 {
            let report = own_line(|| {
                tracing::warn!(lines, "log lines were lost, because they could not be written");
            });
            // A report that cannot be written is tried again later.
            if !self.writer.write_line(&report) {
                return;
            }
            self.counters.lost_lines.fetch_sub(lines, Ordering::Relaxed);
        }
        for summary in self.repeats.take_summaries(self.reported_at) {
            let line = own_line(|| summary.log());
            if !self.writer.write_line(&line) {
                self.counters.lost_lines.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Returns the line that `log` logs, formatted, without adding it to the queue.
fn own_line(log: impl FnOnce()) -> Vec<u8> {
    OWN_LINE.set(Some(Vec::new()));
    log();
    OWN_LINE.take().unwrap_or_default()
}

/// Writes whole lines to a log that may fail.
struct LineWriter<W> {
    log: W,
    /// Whether the last line was written only in part.
    is_torn: bool,
}

impl<W: Write> LineWriter<W> {
    /// Writes a line. Returns whether it was written completely.
    fn write_line(&mut self, line: &[u8]) -> bool {
        if self.is_torn && !self.write_all(b"\n") {
            return false;
        }
        self.is_torn = false;
        self.write_all(line)
    }

    fn write_all(&mut self, bytes: &[u8]) -> bool {
        let mut written = 0;
        while written < bytes.len() {
            match self.log.write(&bytes[written..]) {
                Ok(count @ 1..) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(BLOCKED_PAUSE);
                }
                Ok(0) | Err(_) => {
                    self.is_torn |= written > 0;
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
