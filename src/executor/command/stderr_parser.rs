//! Reads a program's standard error while it runs: its log and its progress.
//!
//! A line of the form `::progress PERCENT MESSAGE` reports progress and does not go into the log.
//! `PERCENT` is a number from 0 to 100 with an optional `%` after it, and the message is optional. A
//! number beyond these becomes the nearer of the two. Every other line goes into the log, which keeps
//! the last 64 KiB. A line of more than 64 KiB loses its beginning, and the number of bytes is logged.

use crate::executor::context::Context;
use crate::executor::secrets::Secrets;
use crate::job::log::omission;

/// Prefix of a progress line.
pub(super) const PROGRESS_PREFIX: &str = "::progress ";
/// Number of bytes at the end of a long line that are kept.
const MAX_LINE_BYTES: usize = 32 << 10;
/// Number of bytes of log lines that are collected before they are reported.
const MAX_COLLECTED_BYTES: usize = 16 << 10;

/// Splits the standard error output of a program into lines and reports them to its attempt.
pub(super) struct StderrParser<'a> {
    context: &'a Context,
    secrets: &'a Secrets,
    /// Bytes of the line that has not ended yet.
    line: Vec<u8>,
    /// Number of bytes of this line that were dropped because it is too long.
    omitted: u64,
    /// Log lines that were not reported yet, each with a line break at its end.
    collected: String,
}

impl<'a> StderrParser<'a> {
    pub(super) fn new(context: &'a Context, secrets: &'a Secrets) -> Self {
        Self { context, secrets, line: Vec::new(), omitted: 0, collected: String::new() }
    }

    /// Reads the next bytes, and reports their complete lines together.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.emit();
            } else if self.line.len() > 2 * self.kept_bytes() {
                self.shorten_line();
            }
        }
        self.report_collected();
    }

    /// Ends the output. Bytes without a line end are reported as a line too.
    pub(super) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
        self.report_collected();
    }

    /// Returns the number of bytes that are kept of a line that is too long. No secret is longer, so a
    /// secret of which only the beginning has arrived is kept, and recognised when the rest has.
    fn kept_bytes(&self) -> usize {
        MAX_LINE_BYTES.max(self.secrets.max_len())
    }

    /// Drops the beginning of a line that is too long, after the secrets in it were hidden.
    fn shorten_line(&mut self) {
        let (text, partial) = self.line.split_at(end_of_characters(&self.line));
        let hidden = self.secrets.hide_complete(&String::from_utf8_lossy(text));
        let cut = hidden.ceil_char_boundary(hidden.len().saturating_sub(self.kept_bytes()));
        self.omitted += cut as u64;
        self.line = [&hidden.as_bytes()[cut..], partial].concat();
    }

    /// Adds a line to those that are reported to the attempt's log.
    fn collect(&mut self, line: &str) {
        if self.collected.len() + line.len() > MAX_COLLECTED_BYTES {
            self.report_collected();
        }
        self.collected.push_str(line);
        self.collected.push('\n');
    }

    /// Reports the collected lines to the attempt's log.
    fn report_collected(&mut self) {
        if !self.collected.is_empty() {
            self.context.log(&self.collected);
            self.collected.clear();
        }
    }

    /// Reports the current line as progress, or adds it to the log lines, and clears it.
    fn emit(&mut self) {
        let line = std::mem::take(&mut self.line);
        let omitted = std::mem::take(&mut self.omitted);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        // A carriage return overwrites the line on a terminal, so only the text after the last one
        // is reported.
        let (text, omitted) = match text.rsplit_once('\r') {
            Some((_overwritten, text)) => (text, 0),
            None => (text, omitted),
        };
        match parse_progress(text) {
            Some((percent, message)) => {
                self.context.progress(percent, self.secrets.hide(message));
            }
            None if omitted > 0 => {
                let text = format!("{}\n{}", omission(omitted), self.secrets.hide(text));
                self.collect(&text);
            }
            None => self.collect(&self.secrets.hide(text)),
        }
        // Its memory is used again for the next line.
        self.line = line;
        self.line.clear();
    }
}

/// Returns the percentage and the message of a progress line, or `None` for any other line.
fn parse_progress(line: &str) -> Option<(f64, &str)> {
    let fields = line.strip_prefix(PROGRESS_PREFIX)?.trim_start();
    let (percent, message) = fields.split_once(char::is_whitespace).unwrap_or((fields, ""));
    let percent: f64 = percent.strip_suffix('%').unwrap_or(percent).parse().ok()?;
    (!percent.is_nan()).then(|| (percent.clamp(0.0, 100.0), message.trim()))
}

/// Returns the position after the last complete character of bytes that may be cut in one.
fn end_of_characters(bytes: &[u8]) -> usize {
    // A character has at most 4 bytes, and only its first byte is no continuation byte.
    let start = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or_default();
    match std::str::from_utf8(&bytes[start..]) {
        Err(error) if error.error_len().is_none() => start + error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_split_after_their_last_complete_character() {
        for (bytes, end) in [
            ("aé".as_bytes(), 3),
            (b"a\xc3", 1),
            (b"a\xf0\x9f\x98", 1),
            (b"a\xff", 2),
            (b"a\xa9\xa9", 3),
            (b"\x80", 1),
            (b"", 0),
        ] {
            assert_eq!(end_of_characters(bytes), end, "{bytes:x?}");
        }
    }

    #[test]
    fn a_progress_line_is_parsed() {
        assert_eq!(parse_progress("::progress 42.5 page 3 of 7"), Some((42.5, "page 3 of 7")));
        assert_eq!(parse_progress("::progress 100%"), Some((100.0, "")));
        assert_eq!(parse_progress("::progress  7%  x "), Some((7.0, "x")));
        assert_eq!(parse_progress("::progress 101 x"), Some((100.0, "x")));
        assert_eq!(parse_progress("::progress -0.5%"), Some((0.0, "")));
        assert_eq!(parse_progress("::progress inf"), Some((100.0, "")));
    }

    #[test]
    fn other_lines_are_not_progress_lines() {
        for line in [
            "",
            "50%",
            ":: progress 5",
            "::progress",
            "::progress x",
            "::progress NaN",
            "::progressing 5",
        ] {
            assert_eq!(parse_progress(line), None, "{line}");
        }
    }
}
