//! What a program says while it runs, on its standard error: its log, and how far it is.
//!
//! A line of the form `::progress PERCENT MESSAGE` tells how far it is and is no part of the log:
//! `PERCENT` is a number from 0 to 100, perhaps with a `%` behind it, and the message may be left
//! out. Every other line goes into the log, which keeps the last 64 KiB.

use crate::executor::context::Context;
use crate::executor::secrets::Secrets;

/// How a line begins that tells how far the program is.
const PROGRESS: &str = "::progress ";

/// How much of a line is kept, in bytes: its end.
const MAX_LINE_BYTES: usize = 32 << 10;

/// Makes lines of what a program writes, and passes them on to its attempt.
pub(super) struct Speech<'a> {
    context: &'a Context,
    secrets: &'a Secrets,
    line: Vec<u8>,
    /// Whether what follows belongs to a word whose begin was forgotten.
    is_amid_word: bool,
}

impl<'a> Speech<'a> {
    pub(super) fn new(context: &'a Context, secrets: &'a Secrets) -> Self {
        Self { context, secrets, line: Vec::new(), is_amid_word: false }
    }

    /// Takes the next bytes.
    pub(super) fn hear(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let rest = self.behind_word(part);
            self.line.extend_from_slice(rest);
            if part.ends_with(b"\n") {
                self.say();
            } else if self.line.len() > 2 * MAX_LINE_BYTES {
                self.cut();
            }
        }
    }

    /// The program says no more: what has no end of line is a line as well.
    pub(super) fn end(&mut self) {
        if !self.line.is_empty() {
            self.say();
        }
    }

    /// Forgets the begin of a line that is too long, up to the end of a word: half a secret would not
    /// be known as one.
    fn cut(&mut self) {
        let hidden = self.secrets.hide(&String::from_utf8_lossy(&self.line)).into_bytes();
        let surplus = hidden.len().saturating_sub(MAX_LINE_BYTES);
        let space = hidden[surplus..].iter().position(u8::is_ascii_whitespace);
        self.is_amid_word = space.is_none();
        self.line = space.map_or(Vec::new(), |space| hidden[surplus + space + 1..].to_vec());
    }

    /// What of a part comes after the word whose begin was forgotten.
    fn behind_word<'b>(&mut self, part: &'b [u8]) -> &'b [u8] {
        if !self.is_amid_word {
            return part;
        }
        match part.iter().position(u8::is_ascii_whitespace) {
            Some(end) => {
                self.is_amid_word = false;
                &part[end..]
            }
            None => &[],
        }
    }

    fn say(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end_matches(['\n', '\r']);
        // As a terminal shows it: what stands behind the last return to the begin of the line.
        let line = line.rsplit('\r').next().unwrap_or(line);
        match progress(line) {
            Some((percent, message)) => {
                self.context.progress(percent, self.secrets.hide(message));
            }
            None => self.context.log(self.secrets.hide(line)),
        }
        self.line.clear();
    }
}

/// How far a line says that its program is, if it says so.
fn progress(line: &str) -> Option<(f64, &str)> {
    let told = line.strip_prefix(PROGRESS)?.trim_start();
    let (percent, message) = told.split_once(char::is_whitespace).unwrap_or((told, ""));
    let percent: f64 = percent.strip_suffix('%').unwrap_or(percent).parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some((percent, message.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_that_form_tells_how_far_the_program_is() {
        assert_eq!(progress("::progress 42.5 page 3 of 7"), Some((42.5, "page 3 of 7")));
        assert_eq!(progress("::progress 100%"), Some((100.0, "")));
        assert_eq!(progress("::progress  7%  x "), Some((7.0, "x")));
    }

    #[test]
    fn other_lines_do_not() {
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
            assert_eq!(progress(line), None, "{line}");
        }
    }
}
