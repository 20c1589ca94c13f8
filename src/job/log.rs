//! What an attempt says while it runs: lines of text, of which the end is kept.

use serde::{Deserialize, Serialize};

/// How much of a job's log is kept: its end, in bytes.
pub const MAX_LOG_BYTES: usize = 64 << 10;

/// A stretch of a job's log. Positions count the bytes of all that was ever logged for the job, so
/// that who has read up to `to` asks for what comes after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Where `text` begins. More than was asked for where what lies between is no longer kept.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The lines, each with its end.
    pub text: String,
}

impl Log {
    /// What begins at 0.
    pub fn new(text: String) -> Self {
        Self { from: 0, to: text.len() as u64, text }
    }

    /// Adds what was said later. Positions in it count from this one's end, so that what was lost
    /// at its begin is known to be lost.
    pub fn extend(&mut self, later: &Self) {
        if later.from > 0 {
            self.text.clear();
            self.to += later.from;
            self.from = self.to;
        }
        self.append(&later.text);
    }

    /// Adds a text as lines: each has its end.
    pub fn push_lines(&mut self, text: &str) {
        let begin = text.ceil_char_boundary(text.len().saturating_sub(MAX_LOG_BYTES));
        if begin > 0 {
            self.to += begin as u64;
            self.from = self.to;
            self.text.clear();
        }
        // SQLite's own functions end a text there.
        let mut line = text[begin..].replace('\0', "\u{fffd}");
        if !line.is_empty() && !line.ends_with('\n') {
            line.push('\n');
        }
        self.append(&line);
    }

    /// Adds a text, and forgets the oldest lines past [`MAX_LOG_BYTES`].
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.to += text.len() as u64;
        let surplus = self.text.len().saturating_sub(MAX_LOG_BYTES);
        if surplus > 0 {
            let cut = self.text.ceil_char_boundary(surplus);
            // From the begin of a line on, where there is one.
            let cut = self.text[cut..].find('\n').map_or(cut, |end| cut + end + 1);
            self.forget(cut);
        }
    }

    /// What comes after a position.
    #[must_use]
    pub fn after(mut self, position: u64) -> Self {
        let known = position.clamp(self.from, self.to) - self.from;
        let cut = self.text.ceil_char_boundary(usize::try_from(known).unwrap_or(usize::MAX));
        self.forget(cut);
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn forget(&mut self, bytes: usize) {
        self.text.drain(..bytes);
        self.from += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_from_a_line_on_and_positions_stay_true() {
        let mut log = Log::default();
        for number in 0..10_000 {
            log.append(&format!("line {number} é\n"));
        }
        assert!(log.text.len() <= MAX_LOG_BYTES && log.text.len() > MAX_LOG_BYTES - 20);
        assert!(log.text.starts_with("line ") && log.text.ends_with("line 9999 é\n"));
        assert_eq!(log.to - log.from, log.text.len() as u64);
    }

    #[test]
    fn who_has_read_up_to_a_place_gets_what_comes_after_it() {
        let mut log = Log::new("one\n".into());
        log.append("two\n");
        assert_eq!(log.clone().after(4), Log { from: 4, to: 8, text: "two\n".into() });
        assert_eq!(log.clone().after(8), Log { from: 8, to: 8, text: String::new() });
        assert_eq!(log.clone().after(99), Log { from: 8, to: 8, text: String::new() });
        assert_eq!(log.clone().after(0), log);
    }

    #[test]
    fn what_was_lost_before_it_was_kept_counts_as_lost() {
        let mut log = Log::new("one\n".into());
        log.extend(&Log { from: 100, to: 104, text: "two\n".into() });
        assert_eq!(log, Log { from: 104, to: 108, text: "two\n".into() });
        log.extend(&Log::new("three\n".into()));
        assert_eq!(log, Log { from: 104, to: 114, text: "two\nthree\n".into() });
    }

    #[test]
    fn one_endless_line_is_cut_between_characters() {
        let mut log = Log::default();
        log.append(&"é".repeat(MAX_LOG_BYTES));
        assert_eq!(log.text.len(), MAX_LOG_BYTES);
    }
}
