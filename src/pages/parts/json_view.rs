//! JSON as HTML with collapsible objects and arrays. It is rendered on the server and needs no script.

use std::fmt::{self, Write};

use crate::job::Json;
use crate::job::payload::entries::{Entries, Entry};
use askama::filters::{Escaper, Html, HtmlSafe};

/// Length in bytes above which a value is shown as truncated text instead of a tree.
pub(crate) const MAX_SHOWN_BYTES: usize = 64 << 10;
/// Number of bytes shown of a value that is longer than [`MAX_SHOWN_BYTES`].
const TRUNCATED_BYTES: usize = 16 << 10;
/// Maximum nesting depth of the tree. Deeper values are shown as text.
const MAX_DEPTH: usize = 12;
/// Maximum number of entries shown of an object or array.
const MAX_ENTRIES: usize = 500;
/// Maximum number of values shown in total.
const MAX_VALUES: usize = 4_000;
/// Maximum number of entries of an object or array that is expanded at first. The outermost one is
/// always expanded.
const OPEN_ENTRIES: usize = 20;

/// A JSON value as HTML with collapsible objects and arrays.
pub(crate) struct JsonView(String);

impl JsonView {
    /// Renders a value exactly as it is stored: no number or string is reformatted. `raw_path` is the
    /// address of the complete value, linked if the value is truncated.
    pub(crate) fn new(json: Option<&Json>, raw_path: &str) -> Self {
        let text = json.map_or("null", Json::as_str);
        if text.len() > MAX_SHOWN_BYTES {
            return Self(truncated(text, raw_path));
        }
        let mut writer = HtmlWriter { html: String::new(), values: 0 };
        writer.value(text, 0);
        Self(writer.html)
    }
}

impl fmt::Display for JsonView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All text is escaped when it is written into the HTML.
impl HtmlSafe for JsonView {}

fn truncated(text: &str, raw_path: &str) -> String {
    let mut html = String::from("<pre tabindex=\"0\">");
    escape(&mut html, &text[..text.floor_char_boundary(TRUNCATED_BYTES)]);
    let _ = write!(
        html,
        "…</pre><p class=\"muted\">The first {} KiB of {} KiB. <a href=\"{raw_path}\">Show all</a></p>",
        TRUNCATED_BYTES >> 10,
        text.len() >> 10
    );
    html
}

fn escape(html: &mut String, text: &str) {
    // Writing into a string does not fail.
    let _ = Html.write_escaped_str(html, text);
}

struct HtmlWriter {
    html: String,
    values: usize,
}

impl HtmlWriter {
    fn value(&mut self, text: &str, depth: usize) {
        self.values += 1;
        let is_deep = depth >= MAX_DEPTH || self.values > MAX_VALUES;
        match text.as_bytes().first() {
            Some(open @ (b'{' | b'[')) if !is_deep => {
                match serde_json::from_str::<Entries<'_>>(text) {
                    Ok(Entries(entries)) if *open == b'{' => self.tree(('{', '}'), &entries, depth),
                    Ok(Entries(entries)) => self.tree(('[', ']'), &entries, depth),
                    Err(_) => self.scalar("", text),
                }
            }
            Some(b'"') => self.scalar("s", text),
            Some(b'-' | b'0'..=b'9') => self.scalar("n", text),
            Some(b't' | b'f' | b'n') => self.scalar("w", text),
            _ => self.scalar("", text),
        }
    }

    fn scalar(&mut self, class: &str, text: &str) {
        let _ = write!(self.html, "<span class=\"{class}\">");
        escape(&mut self.html, text);
        self.html.push_str("</span>");
    }

    fn tree(&mut self, (open, close): (char, char), entries: &[Entry<'_>], depth: usize) {
        if entries.is_empty() {
            let _ = write!(self.html, "{open}{close}");
            return;
        }
        let expanded = if depth == 0 || entries.len() <= OPEN_ENTRIES { " open" } else { "" };
        let (count, word) = match (entries.len(), open) {
            (1, '{') => (1, "field"),
            (count, '{') => (count, "fields"),
            (1, _) => (1, "entry"),
            (count, _) => (count, "entries"),
        };
        let _ = write!(
            self.html,
            "<details{expanded}><summary>{open} <span class=\"muted\">{count} {word}</span></summary><ul>"
        );
        for (shown, (name, value)) in entries.iter().enumerate() {
            if shown == MAX_ENTRIES || self.values > MAX_VALUES {
                let hidden = entries.len() - shown;
                let _ = write!(self.html, "<li class=\"muted\">… and {hidden} more</li>");
                break;
            }
            self.html.push_str("<li>");
            if let Some(name) = name {
                self.html.push_str("<span class=\"k\">");
                escape(&mut self.html, name);
                self.html.push_str("</span>: ");
            }
            self.value(value.get(), depth + 1);
            self.html.push_str("</li>");
        }
        let _ = write!(self.html, "</ul>{close}</details>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        JsonView::new(Some(&Json::trusted(text)), "/v1/jobs/1").to_string()
    }

    #[test]
    fn numbers_and_names_keep_their_spelling_and_order() {
        let html = rendered(r#"{"b": 1.50, "a": [10000000000000000000000], "b": null}"#);
        assert!(html.contains("<span class=\"n\">1.50</span>"), "{html}");
        assert!(html.contains("10000000000000000000000"), "{html}");
        assert_eq!(html.matches("<span class=\"k\">b</span>").count(), 2);
        assert!(html.find(">b<") < html.find(">a<"));
    }

    #[test]
    fn text_is_never_rendered_as_markup() {
        let html =
            rendered(r#"{"<img src=x onerror=alert(1)>": "</pre><script>alert(1)</script>"}"#);
        assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
        let long = format!("\"{}\"", "<b>".repeat(MAX_SHOWN_BYTES));
        assert!(!rendered(&long).contains("<b>"));
    }

    #[test]
    fn large_values_are_shown_in_part() {
        let list = format!("[{}]", vec!["[1,2,3]"; 3_000].join(","));
        assert!(rendered(&list).contains("… and 2500 more"));
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(rendered(&deep).matches("<details").count(), MAX_DEPTH);
        let long = format!("\"{}\"", "x".repeat(MAX_SHOWN_BYTES));
        let html = rendered(&long);
        assert!(html.len() < 20_000 && html.contains("href=\"/v1/jobs/1\""));
    }
}
