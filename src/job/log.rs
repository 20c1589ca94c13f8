//! The log of a job: lines of text that attempts write while they run. Only its end is kept.

use serde::{Deserialize, Serialize};

/// Maximum size of a job's log, in bytes. Older text is removed.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// Maximum number of bytes that are removed, in addition to those over the maximum, so that the log
/// starts with a whole line. The end of a line that is longer than that is kept.
const MAX_ALIGNMENT_BYTES: usize = 4 << 10;

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
        self.buffer_lines(text);
        self.trim();
    }

    /// Appends lines like [`Log::push_lines`], but removes the oldest lines only when the section is
    /// twice as long as [`MAX_LOG_BYTES`], because removing them moves all others. The owner calls
    /// [`Log::trim`] before it passes the section on.
    pub(crate) fn buffer_lines(&mut self, text: &str) {
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
        self.text.push_str(&lines);
        self.to += lines.len() as u64;
        if self.text.len() > 2 * MAX_LOG_BYTES {
            self.trim();
        }
    }

    /// Appends a text, and removes the oldest lines if the section is longer than
    /// [`MAX_LOG_BYTES`].
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.to += text.len() as u64;
        self.trim();
    }

    /// Removes the oldest lines if the section is longer than [`MAX_LOG_BYTES`].
    pub(crate) fn trim(&mut self) {
        let surplus = self.text.len().saturating_sub(MAX_LOG_BYTES);
        if surplus > 0 {
            let cut = self.text.ceil_char_boundary(surplus);
            self.remove_start(cut + self.bytes_to_next_line(cut));
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

    /// Returns a line that stands for the text before this section, if it is no longer stored.
    pub fn omission(&self, position: u64) -> Option<String> {
        let bytes = self.from.checked_sub(position).filter(|bytes| *bytes > 0)?;
        Some(omission(bytes))
    }

    /// Returns the number of bytes from `position` to the next start of a line; 0 if there is none
    /// nearby.
    fn bytes_to_next_line(&self, position: usize) -> usize {
        let bytes = self.text.as_bytes();
        if position.checked_sub(1).is_some_and(|before| bytes[before] == b'\n') {
            return 0;
        }
        let nearby = bytes[position..].iter().take(MAX_ALIGNMENT_BYTES);
        nearby.clone().position(|byte| *byte == b'\n').map_or(0, |end| end + 1)
    }

    fn remove_start(&mut self, bytes: usize) {
        self.text.drain(..bytes);
        self.from += bytes as u64;
    }
}

/// Returns a text that stands for omitted bytes, such as `[12345 bytes omitted]`.
pub(crate) fn omission(bytes: u64) -> String {
    format!("[{bytes} bytes omitted]")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the log after one text was logged.
    fn logged(text: &str) -> Log {
        let mut log = Log::default();
        log.push_lines(text);
        assert!(log.text.len() <= MAX_LOG_BYTES);
        assert_eq!(log.to - log.from, log.text.len() as u64);
        log
    }

    #[test]
    fn the_end_of_a_line_that_is_too_long_is_kept_and_the_gap_is_counted() {
        for (len, gap) in [(65_535, 0), (65_536, 1), (65_537, 2), (1 << 20, (1 << 20) - 65_535)] {
            let log = logged(&"y".repeat(len));
            assert_eq!((log.from, log.to), (gap, len as u64 + 1), "{len} bytes");
            assert_eq!(log.text, format!("{}\n", "y".repeat(len - gap as usize)));
            assert_eq!(log.omission(0), (gap > 0).then(|| format!("[{gap} bytes omitted]")));
        }
        let log = logged(&"y".repeat(65_536));
        assert_eq!(log.omission(1), None);
    }

    #[test]
    fn a_long_line_loses_only_its_start_to_a_later_line() {
        let mut log = logged(&format!("first\n{}", "y".repeat(65_000)));
        log.push_lines(&"z".repeat(3_000));
        assert!(log.text.starts_with("yyy") && log.text.ends_with("zzz\n"));
        assert_eq!((log.text.len(), log.to), (MAX_LOG_BYTES, 6 + 65_001 + 3_001));
        log.push_lines(&"é".repeat(40_000));
        assert!(log.text.len() >= MAX_LOG_BYTES - 1 && log.text.starts_with('é'), "{}", log.from);
    }

    #[test]
    fn a_log_that_is_cut_at_the_start_of_a_line_keeps_that_line() {
        let line = format!("{}\n", "x".repeat(1_023));
        let mut log = logged(&line.repeat(64));
        log.append(&line);
        assert_eq!((log.text.len(), log.from), (MAX_LOG_BYTES, 1_024));
    }

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
    fn lines_that_are_buffered_are_trimmed_at_twice_the_size_and_lose_no_position() {
        let (mut buffered, mut trimmed) = (Log::default(), Log::default());
        let mut trims = 0;
        for number in 0..100_000 {
            let (line, len) = (format!("line {number} é"), buffered.text.len());
            buffered.buffer_lines(&line);
            trimmed.push_lines(&line);
            assert!(buffered.text.len() <= 2 * MAX_LOG_BYTES);
            trims += usize::from(buffered.text.len() < len);
        }
        assert!(trims as u64 <= buffered.to / MAX_LOG_BYTES as u64, "{trims} trims");
        buffered.trim();
        assert_eq!(buffered, trimmed);
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
