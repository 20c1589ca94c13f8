//! Where commands print: results on stdout, remarks on stderr.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::cli::error::CliError;

/// The two outputs of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether results are printed as JSON.
    pub json: bool,
    colour: bool,
}

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Ended badly.
    Red,
    /// Ended well.
    Green,
    /// Under way.
    Yellow,
    /// Of less weight.
    Dim,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Dim => "2",
        }
    }
}

/// Whether to write in colour: only to a terminal, and not where `NO_COLOR` is set (no-color.org).
pub fn takes_colour(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}

impl Output {
    /// The process's own outputs.
    pub fn new(json: bool) -> Self {
        Self { json, colour: !json && takes_colour(&io::stdout()) }
    }

    /// Prints a line of the result.
    ///
    /// # Errors
    /// Where stdout is closed or cannot be written to.
    pub fn line(&self, text: impl fmt::Display) -> Result<(), CliError> {
        writeln!(io::stdout().lock(), "{text}").map_err(CliError::output)
    }

    /// Prints a text that has its own ends of lines.
    ///
    /// # Errors
    /// Where stdout is closed or cannot be written to.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(CliError::output)
    }

    /// Prints lines of foreign origin: to a terminal without what would steer it, else as they are.
    ///
    /// # Errors
    /// Where stdout is closed or cannot be written to.
    pub fn foreign_text(&self, text: &str) -> Result<(), CliError> {
        if !io::stdout().is_terminal() {
            return self.text(text);
        }
        let steers = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        self.text(&text.replace(steers, " "))
    }

    /// Prints a value as one line of JSON.
    ///
    /// # Errors
    /// Where stdout is closed or cannot be written to.
    pub fn json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map_err(io::Error::from);
        self.line(text.map_err(CliError::output)?)
    }

    /// Prints a remark that is no part of the result. A closed stderr is let pass.
    pub fn note(&self, text: impl fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells that the server is away, and is asked again.
    pub fn note_away(&self, error: &CliError) {
        self.note(format_args!("{error}; trying again"));
    }

    /// The text in a colour, where colours are shown.
    pub fn paint(&self, colour: Colour, text: impl fmt::Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_string() }
    }
}
