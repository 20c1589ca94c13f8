//! The start and the end of a program's output or of a response body.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::executor::secrets::Secrets;
use crate::job::attempt::head_and_tail;

/// Maximum number of bytes of each end that are kept.
const MAX_END_BYTES: usize = 32 << 10;

/// The start and the end of a stream of bytes.
#[derive(Debug, Default)]
pub(in crate::executor) struct Excerpt {
    /// First bytes, at most [`MAX_END_BYTES`].
    head: Vec<u8>,
    /// Last bytes after the head, at most [`MAX_END_BYTES`].
    tail: VecDeque<u8>,
    /// Number of bytes between head and tail that were dropped.
    dropped: u64,
    /// Whether the stream had more bytes, which were not read.
    is_unfinished: bool,
}

impl Excerpt {
    /// Adds the next bytes.
    pub(in crate::executor) fn push(&mut self, chunk: &[u8]) {
        let (head, others) = chunk.split_at(chunk.len().min(MAX_END_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(others);
        let surplus = self.tail.len().saturating_sub(MAX_END_BYTES);
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// Returns the number of bytes that were added.
    pub(in crate::executor) fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.dropped
    }

    /// Records that the stream has more bytes, which are not read.
    pub(in crate::executor) fn mark_unfinished(&mut self) {
        self.is_unfinished = true;
    }

    /// Returns the text without secrets, shortened to its start and its end of together `max_bytes`.
    pub(in crate::executor) fn text(&self, secrets: &Secrets, max_bytes: usize) -> String {
        self.decoded_text(String::from_utf8_lossy, secrets, max_bytes)
    }

    /// Returns the same as [`Excerpt::text`], of a text in Latin-1.
    pub(in crate::executor) fn latin_1_text(&self, secrets: &Secrets, max_bytes: usize) -> String {
        self.decoded_text(latin_1, secrets, max_bytes)
    }

    fn decoded_text(
        &self,
        decode: impl Fn(&[u8]) -> Cow<'_, str>,
        secrets: &Secrets,
        max_bytes: usize,
    ) -> String {
        let text = if self.dropped == 0 {
            head_and_tail(&secrets.hide(&decode(&self.bytes())), max_bytes)
        } else {
            let (head, tail) = self.ends();
            let (head, tail) = (decode(head), decode(&tail));
            let head = secrets.hide(&head);
            let tail = secrets.hide(secrets.without_cut_start(&tail));
            let head = &head[..head.floor_char_boundary(max_bytes / 2)];
            let tail = &tail[tail.ceil_char_boundary(tail.len().saturating_sub(max_bytes / 2))..];
            let omitted = self.len().saturating_sub((head.len() + tail.len()) as u64);
            format!("{head}\n[{omitted} bytes omitted]\n{tail}")
        };
        self.with_note(text)
    }

    /// Returns the bytes without secrets in base64, shortened to their start and their end of together
    /// about `max_bytes`. Each of the two can be decoded by itself.
    pub(in crate::executor) fn base64(&self, secrets: &Secrets, max_bytes: usize) -> String {
        // A multiple of 3 bytes has no padding.
        let max_end_bytes = max_bytes / 8 * 3;
        let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let (head, tail) = if self.dropped == 0 {
            let bytes = secrets.hide_bytes(&self.bytes());
            if bytes.len() <= 2 * max_end_bytes {
                return self.with_note(encode(&bytes));
            }
            (bytes.clone(), bytes)
        } else {
            let (head, tail) = self.ends();
            (secrets.hide_bytes(head), secrets.hide_bytes(&tail))
        };
        // Each end is longer, so that a secret that was cut at its other side is omitted.
        let head = &head[..head.len().min(max_end_bytes)];
        let tail = &tail[tail.len().saturating_sub(max_end_bytes)..];
        let omitted = self.len().saturating_sub((head.len() + tail.len()) as u64);
        self.with_note(format!("{}\n[{omitted} bytes omitted]\n{}", encode(head), encode(tail)))
    }

    fn with_note(&self, text: String) -> String {
        if self.is_unfinished { format!("{text}\n[the rest was not read]") } else { text }
    }

    /// Returns the end of the text without secrets. A secret that was cut at the start is removed.
    pub(in crate::executor) fn tail(&self, secrets: &Secrets) -> String {
        if self.dropped == 0 {
            return secrets.hide(&String::from_utf8_lossy(&self.bytes()));
        }
        let (_, tail) = self.ends();
        secrets.hide(secrets.without_cut_start(&String::from_utf8_lossy(&tail)))
    }

    /// Returns all bytes, if none were dropped.
    fn bytes(&self) -> Vec<u8> {
        self.head.iter().chain(&self.tail).copied().collect()
    }

    /// Returns both ends. If they are UTF-8, they start and end between two characters.
    fn ends(&self) -> (&[u8], Vec<u8>) {
        let cut_len = self.head.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let is_inner = |byte: &u8| (0x80..0xc0).contains(byte);
        let start = tail.iter().take(3).take_while(|byte| is_inner(byte)).count();
        (&self.head[..self.head.len() - cut_len], tail[start..].to_vec())
    }
}

fn latin_1(bytes: &[u8]) -> Cow<'_, str> {
    Cow::Owned(bytes.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(chunks: &[&[u8]]) -> Excerpt {
        let mut excerpt = Excerpt::default();
        for chunk in chunks {
            excerpt.push(chunk);
        }
        excerpt
    }

    #[test]
    fn a_short_output_is_kept_whole() {
        let secrets = Secrets::new(["hunter22".into()]);
        assert_eq!(excerpt(&[]).text(&secrets, 10), "");
        assert_eq!(excerpt(&[b"a hunt", b"er22 b"]).text(&secrets, 100), "a (secret) b");
        let long = "x".repeat(2 * MAX_END_BYTES);
        assert_eq!(excerpt(&[long.as_bytes()]).text(&secrets, long.len()), long);
        let expected = "xx\n[65532 bytes omitted]\nxx";
        assert_eq!(excerpt(&[long.as_bytes()]).text(&secrets, 4), expected);
    }

    #[test]
    fn a_long_output_keeps_both_ends_and_counts_the_gap() {
        let secrets = Secrets::default();
        let middle = vec![b'-'; 5 * MAX_END_BYTES];
        let text = excerpt(&[b"start", &middle, b"end"]).text(&secrets, 10);
        let omitted = 5 * MAX_END_BYTES + 8 - 10;
        assert_eq!(text, format!("start\n[{omitted} bytes omitted]\n--end"));
    }

    #[test]
    fn a_long_output_is_cut_between_characters() {
        let secrets = Secrets::default();
        let text = "€".repeat(MAX_END_BYTES);
        let shown = excerpt(&[text.as_bytes()]).text(&secrets, 2 * MAX_END_BYTES);
        assert!(!shown.contains('\u{fffd}'));
        let omitted = text.len() - 2 * (MAX_END_BYTES / 3 * 3);
        assert!(shown.contains(&format!("€\n[{omitted} bytes omitted]\n€")));
        // Latin-1 has no such limits.
        let latin_1 = excerpt(&[&vec![0xe4; 3 * MAX_END_BYTES]]).latin_1_text(&secrets, 4);
        assert!(latin_1.starts_with("ä\n[") && latin_1.ends_with("]\nä"), "{latin_1}");
    }

    #[test]
    fn both_ends_of_bytes_are_in_base64() {
        let secrets = Secrets::new(["hunter22".into()]);
        let base64 = |chunks: &[&[u8]]| excerpt(chunks).base64(&secrets, 16);
        assert_eq!(base64(&[]), "");
        assert_eq!(base64(&[&[0xff; 12]]), "/".repeat(16));
        assert_eq!(base64(&[&[0xff; 13]]), "////////\n[1 bytes omitted]\n////////");
        let long = vec![0xff; 3 * MAX_END_BYTES];
        let expected = format!("////////\n[{} bytes omitted]\n////////", long.len() - 12);
        assert_eq!(base64(&[&long]), expected);
        assert_eq!(excerpt(&[b"hunter22"]).base64(&secrets, 64), "KHNlY3JldCk=");
    }

    #[test]
    fn a_stream_that_was_not_read_to_its_end_says_so() {
        let mut excerpt = excerpt(&[b"0123456789"]);
        excerpt.mark_unfinished();
        let expected = "01\n[6 bytes omitted]\n89\n[the rest was not read]";
        assert_eq!(excerpt.text(&Secrets::default(), 4), expected);
        assert_eq!(excerpt.len(), 10);
    }

    #[test]
    fn a_secret_that_was_cut_is_not_shown() {
        let secrets = Secrets::new(["hunter22".into()]);
        let word = b"hunter22";
        let many = word.repeat(3 * MAX_END_BYTES / word.len());
        for offset in 0..word.len() {
            let start = vec![b'.'; offset];
            let text = excerpt(&[&start, &many]).text(&secrets, 2 * MAX_END_BYTES);
            let shown = text.replace("(secret)", "");
            for part in ["hunter", "ter22", "er22"] {
                assert!(!shown.contains(part), "{part} with offset {offset}");
            }
        }
    }
}
