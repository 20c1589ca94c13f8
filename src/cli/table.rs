//! Tables in plain text.

use crate::cli::error::CliError;
use crate::cli::output::{Colour, Output};

/// A cell: a text, perhaps in a colour.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
    to_right: bool,
}

impl Cell {
    /// A text.
    pub(super) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self { text: text.to_string(), colour: None, to_right: false }
    }

    /// A number, which stands to the right.
    pub(super) fn number(number: &(impl ToString + ?Sized)) -> Self {
        Self { to_right: true, ..Self::text(number) }
    }

    /// The same in a colour.
    pub(super) fn in_colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// The cell in a column of `width` characters; the last one of a line is not filled up.
    fn shown(&self, output: &Output, width: usize, is_last: bool) -> String {
        let painted = match self.colour {
            Some(colour) => output.paint(colour, &self.text),
            None => self.text.clone(),
        };
        // Colours have letters but no width, so the filling is counted on the bare text.
        let filling = " ".repeat(width.saturating_sub(self.text.chars().count()));
        match (self.to_right, is_last) {
            (true, _) => filling + &painted,
            (false, true) => painted,
            (false, false) => painted + &filling,
        }
    }
}

/// A table that is printed a page at a time; its columns only ever grow.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    header: Option<[Cell; N]>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// A table whose header is printed above the first page.
    pub(super) fn new(names: [&str; N]) -> Self {
        let header = names.map(|name| Cell::text(name).in_colour(Colour::Dim));
        Self { header: Some(header), widths: [0; N] }
    }

    /// Prints some rows.
    pub(super) fn print(&mut self, output: &Output, rows: Vec<[Cell; N]>) -> Result<(), CliError> {
        let mut header = self.header.take();
        if let (Some(header), Some(row)) = (&mut header, rows.first()) {
            for (name, cell) in header.iter_mut().zip(row) {
                name.to_right = cell.to_right;
            }
        }
        let rows: Vec<[Cell; N]> = header.into_iter().chain(rows).collect();
        for (column, width) in self.widths.iter_mut().enumerate() {
            let cells = rows.iter().map(|row| row[column].text.chars().count());
            *width = cells.fold(*width, usize::max);
        }
        rows.iter().try_for_each(|row| output.line(self.shown(output, row)))
    }

    fn shown(&self, output: &Output, row: &[Cell; N]) -> String {
        let cells = row.iter().zip(self.widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| cell.shown(output, width, column + 1 == N));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["ID", "STATE"]);
        table.widths = [4, 5];
        let row = [Cell::number(&7), Cell::text("queued")];
        assert_eq!(table.shown(&Output::new(true), &row), "   7  queued");
    }
}
