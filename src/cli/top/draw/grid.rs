//! A table that hides columns if the terminal is too narrow, because a truncated number would be
//! misread.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Row, Table, TableState};

use super::palette::Palette;
use crate::cli::output::Colour;

/// Mark before the selected row.
const MARK: &str = "> ";
/// Width from which there are two spaces between columns instead of one.
const WIDE: u16 = 100;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    width: Constraint,
    is_number: bool,
    /// Minimum width of the table at which the column is shown.
    min_table_width: u16,
}

impl Column {
    /// Creates a column of left-aligned text.
    pub(super) fn text(name: &'static str, width: Constraint, min_table_width: u16) -> Self {
        Self { name, width, is_number: false, min_table_width }
    }

    /// Creates a column of right-aligned numbers or durations.
    pub(super) fn number(name: &'static str, width: u16, min_table_width: u16) -> Self {
        Self { name, width: Constraint::Length(width), is_number: true, min_table_width }
    }

    /// Aligns the content of a cell.
    fn aligned<'a>(&self, line: Line<'a>) -> Line<'a> {
        if self.is_number { line.right_aligned() } else { line }
    }
}

/// A table with a selected row.
pub(super) struct Grid<'a, const N: usize> {
    /// Title in the border.
    pub(super) title: String,
    /// Columns in their order.
    pub(super) columns: [Column; N],
    /// Cells of each row.
    pub(super) rows: Vec<[Line<'a>; N]>,
    /// Index of the selected row.
    pub(super) selected: Option<usize>,
    /// Whether the table has the focus.
    pub(super) is_active: bool,
}

impl<const N: usize> Grid<'_, N> {
    /// Draws the columns and rows that fit, including the selected row.
    pub(super) fn draw(self, frame: &mut Frame, area: Rect, palette: &Palette) {
        let header = self.columns.map(|column| Line::from(column.name));
        let header = self.visible_cells(header, area.width).style(palette.style(Colour::Dim));
        let columns = self.columns.iter().filter(|column| column.min_table_width <= area.width);
        let widths = columns.map(|column| column.width);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let title =
            Line::styled(self.title.clone(), if self.is_active { bold } else { Style::new() });
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        let rows = self.rows.iter().map(|cells| self.visible_cells(cells.clone(), area.width));
        let table = Table::new(rows, widths)
            .header(header)
            .block(Block::bordered().title(title))
            .row_highlight_style(if self.is_active { reversed } else { Style::new() })
            .highlight_symbol(MARK)
            .column_spacing(if area.width < WIDE { 1 } else { 2 });
        let mut state = TableState::new().with_selected(self.selected);
        frame.render_stateful_widget(table, area, &mut state);
    }

    /// Returns a row of the cells whose columns are shown at this width.
    fn visible_cells<'b>(&self, cells: [Line<'b>; N], width: u16) -> Row<'b> {
        let cells = cells.into_iter().zip(&self.columns);
        let cells = cells.filter(|(_, column)| column.min_table_width <= width);
        Row::new(cells.map(|(cell, column)| column.aligned(cell)).collect::<Vec<_>>())
    }
}
