//! Plain-text tables.

use crate::cli::error::CliError;
use crate::cli::output::{Colour, Output};

/// A cell of a table: text with an optional colour.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
    is_right_aligned: bool,
}

impl Cell {
    /// Creates a cell of left-aligned text.
    pub(crate) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self { text: text.to_string(), colour: None, is_right_aligned: false }
    }

    /// Creates a cell of right-aligned text, for numbers.
    pub(crate) fn number(number: &(impl ToString + ?Sized)) -> Self {
        Self { is_right_aligned: true, ..Self::text(number) }
    }

    /// Returns the cell in a colour.
    pub(crate) fn in_colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// Returns the cell padded to `width` characters. The last text cell of a line is not padded.
    fn padded(&self, output: &Output, width: usize, is_last: bool) -> String {
        let painted = match self.colour {
            Some(colour) => output.paint(colour, &self.text),
            None => self.text.clone(),
        };
        // Escape sequences of colours take no space, so the padding depends on the bare text.
        let padding = " ".repeat(width.saturating_sub(self.text.chars().count()));
        match (self.is_right_aligned, is_last) {
            (true, _) => padding + &painted,
            (false, true) => painted,
            (false, false) => painted + &padding,
        }
    }
}

/// A table that is printed one page at a time. A column never becomes narrower from page to page.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    header: Option<[Cell; N]>,
    widths: [usize; N],
}

impl<const N: usize> Table<N> {
    /// Creates a table whose header is printed above the first page.
    pub(crate) fn new(names: [&str; N]) -> Self {
        let header = names.map(|name| Cell::text(name).in_colour(Colour::Dim));
        Self { header: Some(header), widths: [0; N] }
    }

    /// Prints the next rows.
    pub(crate) fn print(&mut self, output: &Output, rows: Vec<[Cell; N]>) -> Result<(), CliError> {
        let mut header = self.header.take();
        if let (Some(header), Some(row)) = (&mut header, rows.first()) {
            for (name, cell) in header.iter_mut().zip(row) {
                name.is_right_aligned = cell.is_right_aligned;
            }
        }
        let rows: Vec<[Cell; N]> = header.into_iter().chain(rows).collect();
        for (column, width) in self.widths.iter_mut().enumerate() {
            let cells = rows.iter().map(|row| row[column].text.chars().count());
            *width = cells.fold(*width, usize::max);
        }
        rows.iter().try_for_each(|row| output.line(self.line(output, row)))
    }

    /// Returns a row as one line of text.
    fn line(&self, output: &Output, row: &[Cell; N]) -> String {
        let cells = row.iter().zip(self.widths).enumerate();
        let cells =
            cells.map(|(column, (cell, width))| cell.padded(output, width, column + 1 == N));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let mut table = Table::new(["ID", "STATE"]);
        table.widths = [4, 5];
        let row = [Cell::number(&7), Cell::text("queued")];
        assert_eq!(table.line(&Output::new(true), &row), "   7  queued");
    }
}
