//! Colours of the terminal, and whether to use them.

use std::io::IsTerminal;

use crate::job::State;

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Colour of failures.
    Red,
    /// Colour of success.
    Green,
    /// Colour of work in progress and of warnings.
    Yellow,
    /// Style of less important text.
    Dim,
}

impl Colour {
    /// Returns the colour of a state.
    pub(crate) fn of_state(state: State) -> Self {
        match state {
            State::Completed => Self::Green,
            State::Failed => Self::Red,
            State::Running | State::Retrying => Self::Yellow,
            State::Scheduled | State::Queued | State::Cancelled => Self::Dim,
        }
    }

    /// Returns the parameter of the ANSI escape sequence.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Dim => "2",
        }
    }
}

/// Returns whether to write in colour: only to a terminal, and only if `NO_COLOR` is not set
/// (no-color.org).
pub fn use_colour(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}
