//! Following what a server tells for as long as it takes.

use crate::cli::client::{Event, Listening};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// Events from a server that may go away and come back.
pub(super) struct Follower<'a> {
    events: Listening<'a>,
    output: Output,
    /// Whether it is told that the server is away.
    is_told: bool,
}

impl<'a> Follower<'a> {
    /// Follows these events, and tells on stderr where the server is away.
    pub(super) fn new(events: Listening<'a>, output: Output) -> Self {
        Self { events, output, is_told: false }
    }

    /// The next event; none where the server says that there will be no more.
    ///
    /// # Errors
    /// Where the server was never reached, or refuses for good.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, CliError> {
        loop {
            match self.events.next().await {
                Ok(event) => {
                    self.is_told = false;
                    return Ok(event);
                }
                Err(error) if self.events.has_connected() && is_passing(&error) => {
                    if !self.is_told {
                        self.output.note_away(&error);
                    }
                    self.is_told = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether it may be otherwise in a while.
fn is_passing(error: &CliError) -> bool {
    match error {
        CliError::Unreachable { .. } => true,
        CliError::Refused(refusal) => matches!(refusal.status, 502..=504),
        _ => false,
    }
}
