//! Requests that are written down before they are sent and after they are answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use crate::history::Event;
use crate::kit::{Connection, Response};

/// A kept connection to wherever the server is.
pub(super) struct Wire {
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

impl Wire {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connection: None }
    }

    /// Sends a request whose beginning is `sent`, and whose answer, if it is a 2xx, is `accepted`.
    /// None where there is no connection, and so nothing was sent.
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
