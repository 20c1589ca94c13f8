//! An HTTP client that records each request before it is sent and again after its answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use crate::history::Event;
use crate::kit::{Connection, Response};

/// HTTP client with a keep-alive connection to the current address of the server.
pub(super) struct RecordingClient {
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl RecordingClient {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// Sends a request, and records `sent` before it and `accepted` after an answer that is a 2xx.
    ///
    /// Returns `None` if no connection could be opened, so that nothing was sent.
    pub(super) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        sent: impl FnOnce(u64) -> Event,
        accepted: impl FnOnce(u64, &Value) -> Event,
    ) -> Option<io::Result<Response>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.shared.addr()) {
                Ok(connection) => connection,
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(5));
                    return None;
                }
            },
        };
        let recorder = &self.shared.recorder;
        let call = recorder.call();
        recorder.record(&sent(call));
        let answer = connection.request(method, path, headers, body.as_bytes());
        recorder.answer(call, &answer, |body| accepted(call, body));
        if let Ok(answer) = &answer
            && answer.header("connection") != Some("close")
        {
            self.connection = Some(connection);
        }
        Some(answer)
    }
}
