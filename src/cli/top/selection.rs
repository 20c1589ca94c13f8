//! Which row of a table is selected while the rows come and go.

/// The selected row, by its key; its place is where the selection goes when the row is gone.
#[derive(Debug, Clone)]
pub(super) struct Selection<K> {
    key: Option<K>,
    index: usize,
}

impl<K> Default for Selection<K> {
    fn default() -> Self {
        Self { key: None, index: 0 }
    }
}

impl<K: PartialEq + Clone> Selection<K> {
    /// The place of the selected row; none where there are no rows.
    pub(super) fn index(&self) -> Option<usize> {
        self.key.as_ref().map(|_| self.index)
    }

    /// Moves up or down among the rows that there are now, and stops at the ends.
    pub(super) fn move_by(&mut self, steps: isize, keys: &[K]) {
        let found = self.key.as_ref().and_then(|key| keys.iter().position(|other| other == key));
        let last = keys.len().saturating_sub(1);
        self.index = found.unwrap_or(self.index).saturating_add_signed(steps).min(last);
        self.key = keys.get(self.index).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_with_its_row() {
        let mut selection = Selection::default();
        selection.move_by(0, &["a", "b", "c"]);
        selection.move_by(1, &["a", "b", "c"]);
        selection.move_by(0, &["x", "y", "a", "b"]);
        assert_eq!(selection.index(), Some(3));
        // The row is gone: the one that took its place.
        selection.move_by(0, &["x", "y"]);
        assert_eq!((selection.key, selection.index), (Some("y"), 1));
    }

    #[test]
    fn it_stops_at_the_ends_and_lives_without_rows() {
        let mut selection = Selection::default();
        selection.move_by(isize::MAX, &[1, 2, 3]);
        assert_eq!(selection.index(), Some(2));
        selection.move_by(isize::MIN, &[1, 2, 3]);
        assert_eq!(selection.index(), Some(0));
        selection.move_by(1, &[]);
        assert_eq!(selection.index(), None);
    }
}
