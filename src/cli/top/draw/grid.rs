//! A table that leaves columns out where there is no room: half a number would be a wrong one.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Row, Table, TableState};

use super::Palette;
use crate::cli::output::Colour;

/// What stands before a selected row.
const MARK: &str = "> ";
/// From this width on there is more space between columns.
const WIDE: u16 = 100;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    width: Constraint,
    is_number: bool,
    /// The least width of the table at which it is shown.
    from: u16,
}

impl Column {
    /// Text.
    pub(super) fn text(name: &'static str, width: Constraint, from: u16) -> Self {
        Self { name, width, is_number: false, from }
    }

    /// A number or a time, which stands to the right.
    pub(super) fn number(name: &'static str, width: u16, from: u16) -> Self {
        Self { name, width: Constraint::Length(width), is_number: true, from }
    }

    fn aligned<'a>(&self, line: Line<'a>) -> Line<'a> {
        if self.is_number { line.right_aligned() } else { line }
    }
}

/// A table with a row selected.
pub(super) struct Grid<'a, const N: usize> {
    pub(super) title: String,
    pub(super) columns: [Column; N],
    pub(super) rows: Vec<[Line<'a>; N]>,
    pub(super) selected: Option<usize>,
    /// Whether up and down move in it.
    pub(super) is_active: bool,
}

impl<const N: usize> Grid<'_, N> {
    /// Draws as much of it as there is room for, with the selected row in sight.
    pub(super) fn draw(self, frame: &mut Frame, area: Rect, palette: &Palette) {
        let header = self.columns.map(|column| Line::from(column.name));
        let header = self.fitting(header, area.width).style(palette.style(Colour::Dim));
        let columns = self.columns.iter().filter(|column| column.from <= area.width);
        let widths = columns.map(|column| column.width);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let title =
            Line::styled(self.title.clone(), if self.is_active { bold } else { Style::new() });
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        let rows = self.rows.iter().map(|cells| self.fitting(cells.clone(), area.width));
        let table = Table::new(rows, widths)
            .header(header)
            .block(Block::bordered().title(title))
            .row_highlight_style(if self.is_active { reversed } else { Style::new() })
            .highlight_symbol(MARK)
            .column_spacing(if area.width < WIDE { 1 } else { 2 });
        let mut state = TableState::new().with_selected(self.selected);
        frame.render_stateful_widget(table, area, &mut state);
    }

    fn fitting<'b>(&self, cells: [Line<'b>; N], width: u16) -> Row<'b> {
        let cells = cells.into_iter().zip(&self.columns);
        let cells = cells.filter(|(_, column)| column.from <= width);
        Row::new(cells.map(|(cell, column)| column.aligned(cell)).collect::<Vec<_>>())
    }
}
