//! Bounds the number of connections of the process.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::socket::Socket;

/// Answer to a connection past the bound.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\ncontent-length: 150\r\nretry-after: 1\r\n\
    connection: close\r\n\r\n\
    {\"type\":\"urn:longshore:problem:overloaded\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"the server has no room for another connection; retry\"}";

/// Maximum time that a client waits until a connection of another thread has made room for it.
const ROOM_TIMEOUT: Duration = Duration::from_millis(100);

/// Maximum time that a refused client has to read its answer and close the connection.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of refused clients whose connections are kept until they have read their answer. Further
/// connections are closed at once.
pub(super) const MAX_REFUSALS: usize = 64;

/// Minimum time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The connections of the process.
pub(super) struct Admission {
    max: usize,
    open: AtomicUsize,
    refusals: AtomicUsize,
    /// Notified when a client waits for room, so that another thread makes some.
    wanted: Notify,
    /// Notified when a connection ends.
    ended: Notify,
    /// Number of connections refused since the last log line.
    refused: AtomicU64,
    logged_at: Mutex<Option<Instant>>,
}

/// A connection that counts towards the bound until it is dropped.
pub(super) struct Admitted(Arc<Admission>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.notify_one();
    }
}

impl Admission {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            open: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            wanted: Notify::new(),
            ended: Notify::new(),
            refused: AtomicU64::new(0),
            logged_at: Mutex::new(None),
        })
    }

    /// Admits a connection if there is room for it.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Admitted> {
        if self.open.fetch_add(1, Ordering::Relaxed) < self.max {
            return Some(Admitted(Arc::clone(self)));
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Admits a connection in place of one that is about to end.
    pub(super) fn admit_instead(self: &Arc<Self>) -> Admitted {
        self.open.fetch_add(1, Ordering::Relaxed);
        Admitted(Arc::clone(self))
    }

    /// Has another thread end a connection, and waits a moment for it.
    pub(super) async fn wait_for_room(self: &Arc<Self>) -> Option<Admitted> {
        self.wanted.notify_waiters();
        let room = async {
            loop {
                self.ended.notified().await;
                if let Some(admitted) = self.admit() {
                    return admitted;
                }
            }
        };
        tokio::time::timeout(ROOM_TIMEOUT, room).await.ok()
    }

    /// Waits until a client waits for room.
    pub(super) async fn room_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Answers 503 and closes the connection. With TLS, for which a handshake would be needed, it only closes it.
    pub(super) async fn refuse(&self, socket: Socket) {
        self.log_refusal();
        if !socket.is_open() {
            return;
        }
        let waits = self.refusals.fetch_add(1, Ordering::Relaxed) < MAX_REFUSALS;
        // Fails if the client is gone or does not read its answer.
        let _ = tokio::time::timeout(REFUSAL_TIMEOUT, answer_refusal(socket, waits)).await;
        self.refusals.fetch_sub(1, Ordering::Relaxed);
    }

    fn log_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut logged_at = self.logged_at.lock().unwrap_or_else(PoisonError::into_inner);
        if logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *logged_at = Some(Instant::now());
            let refused = self.refused.swap(0, Ordering::Relaxed);
            tracing::warn!(refused, max_connections = self.max, "connections were refused");
        }
    }
}

/// Sends the answer. If `waits` is set, waits until the client closes the connection, since closing it with
/// unread bytes may discard the answer.
async fn answer_refusal(mut socket: Socket, waits: bool) -> std::io::Result<()> {
    socket.write_all(REFUSAL).await?;
    socket.shutdown().await?;
    let mut dropped = [0; 1_024];
    while waits && socket.read(&mut dropped).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ends_makes_room_for_another() {
        let admission = Admission::new(2);
        let first = admission.admit();
        let second = admission.admit();
        assert!(first.is_some() && second.is_some() && admission.admit().is_none());
        drop(first);
        assert!(admission.admit().is_some());
    }

    #[test]
    fn the_refusal_is_one_complete_answer() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], 503);
    }
}
