//! The colours of the view.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::output::Colour;

/// The available colours.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::top) struct Palette {
    has_colour: bool,
}

impl Palette {
    /// Creates a palette with all colours, or with none.
    pub(in crate::cli::top) fn new(has_colour: bool) -> Self {
        Self { has_colour }
    }

    /// Returns the style for a colour.
    pub(super) fn style(self, colour: Colour) -> Style {
        let coloured =
            |colour| if self.has_colour { Style::new().fg(colour) } else { Style::new() };
        match colour {
            Colour::Red => coloured(Color::Red),
            Colour::Green => coloured(Color::Green),
            Colour::Yellow => coloured(Color::Yellow),
            Colour::Dim => Style::new().add_modifier(Modifier::DIM),
        }
    }
}
