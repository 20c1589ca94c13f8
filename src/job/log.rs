//! The log of a job: lines of text that attempts write while they run. Only its end is kept.

use serde::{Deserialize, Serialize};

/// Maximum size of a job's log, in bytes. Older text is removed.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// A section of a job's log.
///
/// Positions count all bytes that were ever logged for the job, including removed ones. A client
/// that has read up to `to` continues with the text after that position. For example, if a job has
/// logged 100,000 bytes, the last 64 KiB are the section from 34,464 to 100,000.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Position at which `text` starts. It is greater than the requested position if the text
    /// between them is no longer kept.
    pub from: u64,
    /// Position at which `text` ends.
    pub to: u64,
    /// Lines of text, each with a line break at its end.
    pub text: String,
}

impl Log {
    /// Creates a section that starts at position 0.
    pub fn new(text: String) -> Self {
        Self { from: 0, to: text.len() as u64, text }
    }

    /// Appends a later section. Its positions count from the end of this section: if it does not
    /// start at 0, text between the two was lost, and the text of this section is removed as well,
    /// so that a section never has a gap.
    pub fn extend(&mut self, later: &Self) {
        if later.from > 0 {
            self.text.clear();
            self.to += later.from;
            self.from = self.to;
        }
        self.append(&later.text);
    }

    /// Appends a text and ends it with a line break if it has none.
    pub fn push_lines(&mut self, text: &str) {
        let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_LOG_BYTES));
        if start > 0 {
            self.to += start as u64;
            self.from = self.to;
            self.text.clear();
        }
        // NUL is replaced because SQLite's functions end a text at a NUL.
        let mut lines = text[start..].replace('\0', "\u{fffd}");
        if !lines.is_empty() && !lines.ends_with('\n') {
            lines.push('\n');
        }
        self.append(&lines);
    }

    /// Appends a text, and removes the oldest lines if the section is longer than
    /// [`MAX_LOG_BYTES`].
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.to += text.len() as u64;
        let surplus = self.text.len().saturating_sub(MAX_LOG_BYTES);
        if surplus > 0 {
            let cut = self.text.ceil_char_boundary(surplus);
            // Cut at the start of a line, if there is one.
            let cut = self.text[cut..].find('\n').map_or(cut, |end| cut + end + 1);
            self.remove_start(cut);
        }
    }

    /// Returns the part of this section after `position`.
    #[must_use]
    pub fn after(mut self, position: u64) -> Self {
        let known = position.clamp(self.from, self.to) - self.from;
        let cut = self.text.ceil_char_boundary(usize::try_from(known).unwrap_or(usize::MAX));
        self.remove_start(cut);
        self
    }

    /// Returns whether the section has no text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn remove_start(&mut self, bytes: usize) {
        self.text.drain(..bytes);
        self.from += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_whole_lines_at_its_end_and_correct_positions() {
        let mut log = Log::default();
        for number in 0..10_000 {
            log.append(&format!("line {number} é\n"));
        }
        assert!(log.text.len() <= MAX_LOG_BYTES && log.text.len() > MAX_LOG_BYTES - 20);
        assert!(log.text.starts_with("line ") && log.text.ends_with("line 9999 é\n"));
        assert_eq!(log.to - log.from, log.text.len() as u64);
    }

    #[test]
    fn reading_after_a_position_returns_the_text_that_follows_it() {
        let mut log = Log::new("one\n".into());
        log.append("two\n");
        assert_eq!(log.clone().after(4), Log { from: 4, to: 8, text: "two\n".into() });
        assert_eq!(log.clone().after(8), Log { from: 8, to: 8, text: String::new() });
        assert_eq!(log.clone().after(99), Log { from: 8, to: 8, text: String::new() });
        assert_eq!(log.clone().after(0), log);
    }

    #[test]
    fn text_that_was_lost_before_a_later_section_moves_the_positions() {
        let mut log = Log::new("one\n".into());
        log.extend(&Log { from: 100, to: 104, text: "two\n".into() });
        assert_eq!(log, Log { from: 104, to: 108, text: "two\n".into() });
        log.extend(&Log::new("three\n".into()));
        assert_eq!(log, Log { from: 104, to: 114, text: "two\nthree\n".into() });
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_characters() {
        let mut log = Log::default();
        log.append(&"é".repeat(MAX_LOG_BYTES));
        assert_eq!(log.text.len(), MAX_LOG_BYTES);
    }
}
