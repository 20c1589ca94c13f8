//! Reads a program's standard error while it runs: its log and its progress.
//!
//! A line of the form `::progress PERCENT MESSAGE` reports progress and does not go into the log.
//! `PERCENT` is a number from 0 to 100 with an optional `%` after it, and the message is optional.
//! Every other line goes into the log, which keeps the last 64 KiB.

use crate::executor::context::Context;
use crate::executor::secrets::Secrets;

/// Prefix of a progress line.
pub(super) const PROGRESS_PREFIX: &str = "::progress ";
/// Number of bytes at the end of a long line that are kept.
const MAX_LINE_BYTES: usize = 32 << 10;

/// Splits the standard error output of a program into lines and reports them to its attempt.
pub(super) struct StderrParser<'a> {
    context: &'a Context,
    secrets: &'a Secrets,
    /// Bytes of the line that has not ended yet.
    line: Vec<u8>,
    /// Whether the next bytes belong to a word whose beginning was dropped.
    is_inside_cut_word: bool,
}

impl<'a> StderrParser<'a> {
    pub(super) fn new(context: &'a Context, secrets: &'a Secrets) -> Self {
        Self { context, secrets, line: Vec::new(), is_inside_cut_word: false }
    }

    /// Reads the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let remainder = self.skip_cut_word(part);
            self.line.extend_from_slice(remainder);
            if part.ends_with(b"\n") {
                self.emit();
            } else if self.line.len() > 2 * MAX_LINE_BYTES {
                self.shorten_line();
            }
        }
    }

    /// Ends the output. Bytes without a line end are reported as a line too.
    pub(super) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
    }

    /// Drops the beginning of a line that is too long, up to the end of a word. A line is cut
    /// between words only, because half a secret would not be recognised and hidden.
    fn shorten_line(&mut self) {
        let hidden = self.secrets.hide(&String::from_utf8_lossy(&self.line)).into_bytes();
        let surplus = hidden.len().saturating_sub(MAX_LINE_BYTES);
        let space = hidden[surplus..].iter().position(u8::is_ascii_whitespace);
        self.is_inside_cut_word = space.is_none();
        self.line = space.map_or(Vec::new(), |space| hidden[surplus + space + 1..].to_vec());
    }

    /// Returns the bytes of `part` after the word whose beginning was dropped.
    fn skip_cut_word<'b>(&mut self, part: &'b [u8]) -> &'b [u8] {
        if !self.is_inside_cut_word {
            return part;
        }
        match part.iter().position(u8::is_ascii_whitespace) {
            Some(end) => {
                self.is_inside_cut_word = false;
                &part[end..]
            }
            None => &[],
        }
    }

    /// Reports the current line to the attempt and clears it.
    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end_matches(['\n', '\r']);
        // A carriage return overwrites the line on a terminal, so only the text after the last one
        // is reported.
        let line = line.rsplit('\r').next().unwrap_or(line);
        match parse_progress(line) {
            Some((percent, message)) => {
                self.context.progress(percent, self.secrets.hide(message));
            }
            None => self.context.log(self.secrets.hide(line)),
        }
        self.line.clear();
    }
}

/// Returns the percentage and the message of a progress line, or `None` for any other line.
fn parse_progress(line: &str) -> Option<(f64, &str)> {
    let fields = line.strip_prefix(PROGRESS_PREFIX)?.trim_start();
    let (percent, message) = fields.split_once(char::is_whitespace).unwrap_or((fields, ""));
    let percent: f64 = percent.strip_suffix('%').unwrap_or(percent).parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some((percent, message.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_is_parsed() {
        assert_eq!(parse_progress("::progress 42.5 page 3 of 7"), Some((42.5, "page 3 of 7")));
        assert_eq!(parse_progress("::progress 100%"), Some((100.0, "")));
        assert_eq!(parse_progress("::progress  7%  x "), Some((7.0, "x")));
    }

    #[test]
    fn other_lines_are_not_progress_lines() {
        for line in [
            "",
            "50%",
            ":: progress 5",
            "::progress",
            "::progress x",
            "::progress 101",
            "::progress NaN",
            "::progressing 5",
        ] {
            assert_eq!(parse_progress(line), None, "{line}");
        }
    }
}
