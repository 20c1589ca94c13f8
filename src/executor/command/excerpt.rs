//! The start and the end of a program's output.

use std::collections::VecDeque;

use crate::executor::secrets::Secrets;
use crate::job::attempt::head_and_tail;

/// Maximum number of bytes of each end that are kept.
const MAX_END_BYTES: usize = 32 << 10;

/// The start and the end of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// First bytes, at most [`MAX_END_BYTES`].
    head: Vec<u8>,
    /// Last bytes after the head, at most [`MAX_END_BYTES`].
    tail: VecDeque<u8>,
    /// Number of bytes between head and tail that were dropped.
    dropped: u64,
}

impl Excerpt {
    /// Adds the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        let (head, others) = chunk.split_at(chunk.len().min(MAX_END_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(others);
        let surplus = self.tail.len().saturating_sub(MAX_END_BYTES);
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// Returns the text without secrets, shortened to its start and its end of together `max_bytes`.
    pub(super) fn text(&self, secrets: &Secrets, max_bytes: usize) -> String {
        if self.dropped == 0 {
            let whole: Vec<u8> = self.head.iter().chain(&self.tail).copied().collect();
            return head_and_tail(&secrets.hide(&String::from_utf8_lossy(&whole)), max_bytes);
        }
        let head = secrets.hide(&String::from_utf8_lossy(&self.head));
        let tail = self.tail(secrets);
        let head = &head[..head.floor_char_boundary(max_bytes / 2)];
        let tail = &tail[tail.ceil_char_boundary(tail.len().saturating_sub(max_bytes / 2))..];
        let len = self.head.len() + self.tail.len();
        let omitted = self.dropped + len.saturating_sub(head.len() + tail.len()) as u64;
        format!("{head}\n[{omitted} bytes omitted]\n{tail}")
    }

    /// Returns the end of the text without secrets. A secret that was cut at the start is removed.
    pub(super) fn tail(&self, secrets: &Secrets) -> String {
        let is_cut = self.dropped > 0;
        let head = if is_cut { &[] } else { &*self.head };
        let bytes: Vec<u8> = head.iter().chain(&self.tail).copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        if is_cut { secrets.hide(secrets.without_cut_start(&text)) } else { secrets.hide(&text) }
    }
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
