//! The selected row of a table whose rows change.

/// The selected row, identified by its key.
///
/// If the row disappears, the row that is then at its index becomes the selected one.
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
    /// Returns the index of the selected row, or `None` if there are no rows.
    pub(super) fn index(&self) -> Option<usize> {
        self.key.as_ref().map(|_| self.index)
    }

    /// Moves the selection by `steps` rows among the current rows, and stops at the ends.
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
        // The selected row is gone, and the index is limited to the last row.
        selection.move_by(0, &["x", "y"]);
        assert_eq!((selection.key, selection.index), (Some("y"), 1));
    }

    #[test]
    fn the_selection_stops_at_the_ends_and_may_be_empty() {
        let mut selection = Selection::default();
        selection.move_by(isize::MAX, &[1, 2, 3]);
        assert_eq!(selection.index(), Some(2));
        selection.move_by(isize::MIN, &[1, 2, 3]);
        assert_eq!(selection.index(), Some(0));
        selection.move_by(1, &[]);
        assert_eq!(selection.index(), None);
    }
}
