//! The output of commands: results go to stdout, notes to stderr.

mod colour;
pub(super) mod progress;
pub(super) mod show;
pub(super) mod table;

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::cli::error::CliError;
use crate::job::State;

pub use colour::{Colour, use_colour};

/// The two outputs of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether results are printed as JSON.
    pub json: bool,
    /// Whether results are printed in colour.
    colour: bool,
}

impl Output {
    /// Creates the output of this process.
    pub fn new(json: bool) -> Self {
        Self { json, colour: !json && use_colour(&io::stdout()) }
    }

    /// Prints a line of the result.
    ///
    /// # Errors
    /// Returns an error if stdout is closed or cannot be written.
    pub fn line(&self, text: impl fmt::Display) -> Result<(), CliError> {
        writeln!(io::stdout().lock(), "{text}").map_err(CliError::output)
    }

    /// Prints text that contains its own line ends.
    ///
    /// # Errors
    /// Returns an error if stdout is closed or cannot be written.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(CliError::output)
    }

    /// Prints untrusted text. On a terminal, control characters are replaced by spaces.
    ///
    /// # Errors
    /// Returns an error if stdout is closed or cannot be written.
    pub fn untrusted_text(&self, text: &str) -> Result<(), CliError> {
        if !io::stdout().is_terminal() {
            return self.text(text);
        }
        let is_unsafe = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        self.text(&text.replace(is_unsafe, " "))
    }

    /// Prints a value as one line of JSON.
    ///
    /// # Errors
    /// Returns an error if stdout is closed or cannot be written.
    pub fn json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map_err(io::Error::from);
        self.line(text.map_err(CliError::output)?)
    }

    /// Prints a note on stderr. Errors are ignored, for example if stderr is closed.
    pub fn note(&self, text: impl fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Reports on stderr that the server cannot be reached and that the command tries again.
    pub fn note_outage(&self, error: &CliError) {
        self.note(format_args!("{error}; trying again"));
    }

    /// Returns the text in a colour if the output is in colour, otherwise unchanged.
    pub fn paint(&self, colour: Colour, text: impl fmt::Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_string() }
    }

    /// Returns the name of a state in its colour.
    pub(crate) fn state(&self, state: State) -> String {
        self.paint(Colour::of_state(state), state)
    }
}
