//! Texts of bounded length, for messages that repeat a part of an input.
//!
//! An input may have many megabytes, and its form in a message is longer still: `{:?}` writes a letter
//! such as U+200B as `\u{200b}`. So the text is cut while it is written, and the rest is never formatted.

use std::fmt::{self, Write};

/// Maximum length of a detail or of a pointer, in bytes.
pub(super) const MAX_SHORT_BYTES: usize = 256;
/// Maximum length of a quoted part of an input, in bytes.
const MAX_QUOTED_BYTES: usize = 64;
/// Sign at the place where a text was cut.
const CUT: &str = "…";

/// Shows at most `MAX` bytes of a value, cut at a character. The rest is not formatted.
pub struct Short<T, const MAX: usize = MAX_SHORT_BYTES>(pub T);

impl<T: fmt::Display, const MAX: usize> fmt::Display for Short<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = ShortWriter { out: f, left: MAX.saturating_sub(CUT.len()), is_full: false };
        match write!(writer, "{}", self.0) {
            Err(_) if writer.is_full => f.write_str(CUT),
            written => written,
        }
    }
}

/// Passes on a text until its length is reached, and then fails.
struct ShortWriter<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
    is_full: bool,
}

impl fmt::Write for ShortWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.left -= text.len();
            return self.out.write_str(text);
        }
        self.is_full = true;
        self.out.write_str(start(text, self.left))?;
        Err(fmt::Error)
    }
}

/// Returns a value as a text of at most [`MAX_SHORT_BYTES`].
pub fn short(value: impl fmt::Display) -> String {
    Short::<_>(value).to_string()
}

/// Returns a text of at most [`MAX_SHORT_BYTES`], without copying one that is short.
pub(super) fn shortened(text: String) -> String {
    if text.len() <= MAX_SHORT_BYTES { text } else { short(text) }
}

/// Returns at most the first `max` bytes of a text, cut at a character.
pub(super) fn start(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// Shows the start of a text in quotation marks, with escapes, as `{:?}` does.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = quoted_start(self.0);
        write!(f, "{start:?}")?;
        if start.len() < self.0.len() { f.write_str(CUT) } else { Ok(()) }
    }
}

/// Returns the start of a text whose form in a message has at most [`MAX_QUOTED_BYTES`], with a sign
/// if it was cut.
pub(super) fn quotable(text: &str) -> std::borrow::Cow<'_, str> {
    match quoted_start(text) {
        start if start.len() < text.len() => format!("{start}{CUT}").into(),
        whole => whole.into(),
    }
}

fn quoted_start(text: &str) -> &str {
    let mut left = MAX_QUOTED_BYTES;
    let end = text.char_indices().find(|(_, letter)| {
        let len = letter.escape_debug().map(char::len_utf8).sum();
        let fits = left.checked_sub(len);
        left = fits.unwrap_or_default();
        fits.is_none()
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(short("x".repeat(200)), "x".repeat(200));
        for letter in ["x", "é", "€", "😀"] {
            let cut = short(letter.repeat(1_000));
            assert!((250..=MAX_SHORT_BYTES).contains(&cut.len()), "{letter}: {}", cut.len());
            assert!(cut.ends_with(CUT) && cut.starts_with(letter), "{cut}");
        }
    }

    #[test]
    fn the_rest_of_a_long_value_is_not_formatted() {
        struct Endless<'a>(&'a std::cell::Cell<usize>);
        impl fmt::Display for Endless<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    self.0.set(self.0.get() + 1);
                    f.write_str("abc")?;
                }
            }
        }
        let calls = std::cell::Cell::new(0);
        assert!(short(Endless(&calls)).len() <= MAX_SHORT_BYTES);
        assert!(calls.get() < 100, "{}", calls.get());
    }

    #[test]
    fn a_quoted_text_has_its_length_with_the_escapes() {
        assert_eq!(Quoted("a\"b\n").to_string(), r#""a\"b\n""#);
        let odd = Quoted(&"\u{200b}".repeat(1_000)).to_string();
        assert_eq!(odd, format!("\"{}\"…", r"\u{200b}".repeat(8)));
        assert_eq!(quotable("abc"), "abc");
        assert_eq!(quotable(&"é".repeat(100)), format!("{}…", "é".repeat(32)));
    }
}
