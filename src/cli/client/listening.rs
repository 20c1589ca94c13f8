//! Listening to what a server tells, over connections that may break.

use std::time::Duration;

use awc::ClientResponse;
use futures_util::StreamExt;

use super::events::{Event, Parser};
use super::transport::Transport;
use crate::cli::error::CliError;

/// After so long without a sign of life the connection is given up. The server gives one every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The first pause before a connection that broke is made again; each one in vain doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest of these pauses.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Events of one path, without a gap as far as the server keeps them.
pub struct Listening<'a> {
    transport: &'a Transport,
    path: String,
    parser: Parser,
    connection: Option<ClientResponse>,
    /// Before the next connection; none before the first.
    pause: Option<Duration>,
    has_connected: bool,
}

impl<'a> Listening<'a> {
    /// Nothing is sent yet.
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

    /// Whether the server has ever taken the request.
    pub fn has_connected(&self) -> bool {
        self.has_connected
    }

    /// The next event; none where the server says that there will be no more. Where a connection
    /// breaks, it is made again from the last event on.
    ///
    /// # Errors
    /// Where no connection can be made or the server refuses. The next call tries again.
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
            match tokio::time::timeout(SILENCE, connection.next()).await {
                Ok(Some(Ok(piece))) => self.parser.feed(&piece),
                // It ended, broke or fell silent, which is all the same.
                Ok(Some(Err(_)) | None) | Err(_) => self.connection = None,
            }
        }
    }

    /// The next event, as [`next`](Self::next). A server that answered before and goes away is
    /// waited for a while; `tell` has the error once.
    pub async fn next_even_late(
        &mut self,
        tell: &dyn Fn(&CliError),
    ) -> Result<Option<Event>, CliError> {
        loop {
            match self.next().await {
                Err(error) if self.transport.bears(&error, tell) => {}
                // A server that ends says so, and takes nobody any more.
                Err(CliError::Refused(refusal)) if self.has_connected && refusal.status == 503 => {}
                other => return other,
            }
        }
    }

    async fn connect(&mut self) -> Result<Option<ClientResponse>, CliError> {
        self.parser.begin_again();
        if let Some(pause) = self.pause {
            actix_web::rt::time::sleep(pause).await;
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
        self.pause = Some(pause.min(MAX_PAUSE));
        let connection = self.transport.listen(&self.path, self.parser.last_id()).await?;
        self.has_connected = true;
        Ok(connection)
    }
}
