//! An event stream that reconnects when its connection breaks.

use std::time::Duration;

use awc::ClientResponse;
use futures_util::StreamExt;

use super::events::{Event, Parser};
use super::transport::Transport;
use crate::cli::error::CliError;

/// Time without any data after which a connection counts as broken. The server sends at least a
/// comment every 15 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// Pause before the first attempt to reconnect. Each failed attempt doubles the pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before an attempt to reconnect.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The events of one path.
///
/// After a reconnect the stream resumes after the last event received, so there is no gap as long
/// as the server still stores the events.
pub struct EventStream<'a> {
    transport: &'a Transport,
    path: String,
    parser: Parser,
    connection: Option<ClientResponse>,
    /// Pause before the next connection; `None` before the first connection.
    pause: Option<Duration>,
    has_connected: bool,
}

impl<'a> EventStream<'a> {
    /// Creates a stream without connecting.
    pub(super) fn new(transport: &'a Transport, path: String) -> Self {
        Self {
            transport,
            path,
            parser: Parser::default(),
            connection: None,
            pause: None,
            has_connected: false,
        }
    }

    /// Returns whether the server has accepted at least one connection.
    pub fn has_connected(&self) -> bool {
        self.has_connected
    }

    /// Returns the next event, or `None` if the server says that there will be no more.
    ///
    /// A broken connection is replaced by a new one that resumes after the last event.
    ///
    /// # Errors
    /// Returns an error if no connection can be made or the server refuses it. The next call makes
    /// another attempt.
    pub async fn next(&mut self) -> Result<Option<Event>, CliError> {
        loop {
            if let Some(event) = self.parser.next() {
                self.pause = Some(FIRST_PAUSE);
                return Ok(Some(event));
            }
            let Some(connection) = &mut self.connection else {
                match self.connect().await? {
                    Some(connection) => self.connection = Some(connection),
                    None => return Ok(None),
                }
                continue;
            };
            match tokio::time::timeout(SILENCE_TIMEOUT, connection.next()).await {
                Ok(Some(Ok(bytes))) => self.parser.feed(&bytes),
                // The connection ended, broke or timed out. In each case a new one is made.
                Ok(Some(Err(_)) | None) | Err(_) => self.connection = None,
            }
        }
    }

    /// Returns the next event like [`next`](Self::next), and waits out an outage of the server.
    ///
    /// `on_outage` is called once per outage, with its first error.
    ///
    /// # Errors
    /// Returns an error if the server has never answered, stays unreachable for five minutes, or
    /// refuses the connection.
    pub async fn next_despite_outage(
        &mut self,
        on_outage: &dyn Fn(&CliError),
    ) -> Result<Option<Event>, CliError> {
        loop {
            match self.next().await {
                Err(error) if self.transport.may_recover(&error, on_outage) => {}
                // A server that is shutting down refuses new connections with 503.
                Err(CliError::Refused(refusal))
                    if self.has_connected && refusal.problem.status == 503 => {}
                other => return other,
            }
        }
    }

    async fn connect(&mut self) -> Result<Option<ClientResponse>, CliError> {
        self.parser.reset();
        if let Some(pause) = self.pause {
            actix_web::rt::time::sleep(pause).await;
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
        self.pause = Some(pause.min(MAX_PAUSE));
        let connection = self.transport.open_events(&self.path, self.parser.last_id()).await?;
        self.has_connected = true;
        Ok(connection)
    }
}
