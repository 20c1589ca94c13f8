//! Follows an event stream for any length of time, across outages of the server.

use crate::cli::client::{Event, EventStream};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// An event stream that is resumed after every outage, however long.
pub(crate) struct Follower<'a> {
    events: EventStream<'a>,
    output: Output,
    /// Whether the current outage has been reported on stderr.
    is_reported: bool,
}

impl<'a> Follower<'a> {
    /// Follows the events and reports each outage of the server on stderr.
    pub(crate) fn new(events: EventStream<'a>, output: Output) -> Self {
        Self { events, output, is_reported: false }
    }

    /// Returns the next event, or `None` if the server says that there will be no more.
    ///
    /// # Errors
    /// Returns an error if the server was never reached, or refuses permanently.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, CliError> {
        loop {
            match self.events.next().await {
                Ok(event) => {
                    self.is_reported = false;
                    return Ok(event);
                }
                Err(error) if self.events.has_connected() && is_transient(&error) => {
                    if !self.is_reported {
                        self.output.note_outage(&error);
                    }
                    self.is_reported = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns whether the same request may succeed later.
fn is_transient(error: &CliError) -> bool {
    match error {
        CliError::Unreachable { .. } => true,
        CliError::Refused(refusal) => matches!(refusal.problem.status, 502..=504),
        _ => false,
    }
}
