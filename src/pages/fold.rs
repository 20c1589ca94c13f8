//! JSON to look at: objects and lists that fold, made here so that no script has to.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html, HtmlSafe};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::job::Json;
use crate::job::outcome::cut;

/// From which length on a value is shown as text, and cut.
const MAX_BYTES: usize = 200 << 10;
/// How much of a longer one is shown.
const SHOWN_BYTES: usize = 16 << 10;
/// How deep is folded; below stands text.
const MAX_DEPTH: usize = 12;
/// How many entries of an object or a list are shown.
const MAX_ENTRIES: usize = 500;
/// How many values are shown in all.
const MAX_VALUES: usize = 4_000;
/// Up to how many entries an object or a list is open at first.
const OPEN_ENTRIES: usize = 20;

/// A JSON value as HTML.
pub(super) struct Fold(String);

impl Fold {
    /// The value, letter by letter; `raw` is where the whole of a long one is found.
    pub(super) fn new(json: Option<&Json>, raw: &str) -> Self {
        let text = json.map_or("null", Json::as_str);
        if text.len() > MAX_BYTES {
            return Self(cut_text(text, raw));
        }
        let mut writer = Writer { html: String::new(), values: 0 };
        writer.value(text, 0);
        Self(writer.html)
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every text in it was escaped as it was put in.
impl HtmlSafe for Fold {}

fn cut_text(text: &str, raw: &str) -> String {
    let mut html = String::from("<pre tabindex=\"0\">");
    escape(&mut html, &cut(text.to_owned(), SHOWN_BYTES));
    let _ = write!(
        html,
        "…</pre><p class=\"muted\">The first {} KiB of {}. <a href=\"{raw}\">All of it</a></p>",
        SHOWN_BYTES >> 10,
        text.len() >> 10
    );
    html
}

fn escape(html: &mut String, text: &str) {
    // Writing into a string does not fail.
    let _ = Html.write_escaped_str(html, text);
}

struct Writer {
    html: String,
    values: usize,
}

impl Writer {
    fn value(&mut self, text: &str, depth: usize) {
        self.values += 1;
        let is_deep = depth >= MAX_DEPTH || self.values > MAX_VALUES;
        match text.as_bytes().first() {
            Some(b'{') if !is_deep => match serde_json::from_str::<Entries<'_>>(text) {
                Ok(entries) => self.fold(('{', '}'), &entries.0, depth),
                Err(_) => self.scalar("", text),
            },
            Some(b'[') if !is_deep => match serde_json::from_str::<Items<'_>>(text) {
                Ok(items) => self.fold(('[', ']'), &items.0, depth),
                Err(_) => self.scalar("", text),
            },
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

    fn fold(&mut self, (begin, end): (char, char), entries: &[Entry<'_>], depth: usize) {
        if entries.is_empty() {
            let _ = write!(self.html, "{begin}{end}");
            return;
        }
        let open = if depth == 0 || entries.len() <= OPEN_ENTRIES { " open" } else { "" };
        let (count, word) = match (entries.len(), begin) {
            (1, '{') => (1, "field"),
            (count, '{') => (count, "fields"),
            (1, _) => (1, "entry"),
            (count, _) => (count, "entries"),
        };
        let _ = write!(
            self.html,
            "<details{open}><summary>{begin} <span class=\"muted\">{count} {word}</span></summary><ul>"
        );
        for (shown, (name, value)) in entries.iter().enumerate() {
            if shown == MAX_ENTRIES || self.values > MAX_VALUES {
                let rest = entries.len() - shown;
                let _ = write!(self.html, "<li class=\"muted\">… and {rest} more</li>");
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
        let _ = write!(self.html, "</ul>{end}</details>");
    }
}

/// A value with its name, if it has one, its text as it stands.
type Entry<'a> = (Option<String>, &'a RawValue);

/// The fields of an object in their order, also those that stand twice.
struct Entries<'a>(Vec<Entry<'a>>);

/// The entries of a list.
struct Items<'a>(Vec<Entry<'a>>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    entries.push((Some(name), value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(value) = list.next_element()? {
                    items.push((None, value));
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        Fold::new(Some(&Json::trusted(text)), "/v1/jobs/1").to_string()
    }

    #[test]
    fn numbers_and_names_keep_their_letters_and_order() {
        let html = folded(r#"{"b": 1.50, "a": [10000000000000000000000], "b": null}"#);
        assert!(html.contains("<span class=\"n\">1.50</span>"), "{html}");
        assert!(html.contains("10000000000000000000000"), "{html}");
        assert_eq!(html.matches("<span class=\"k\">b</span>").count(), 2);
        assert!(html.find(">b<") < html.find(">a<"));
    }

    #[test]
    fn no_text_becomes_markup() {
        let html = folded(r#"{"<img src=x onerror=alert(1)>": "</pre><script>alert(1)</script>"}"#);
        assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
        let long = format!("\"{}\"", "<b>".repeat(MAX_BYTES));
        assert!(!folded(&long).contains("<b>"));
    }

    #[test]
    fn what_is_large_is_shown_in_part() {
        let list = format!("[{}]", vec!["[1,2,3]"; 3_000].join(","));
        assert!(folded(&list).contains("… and 2500 more"));
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(folded(&deep).matches("<details").count(), MAX_DEPTH);
        let long = format!("\"{}\"", "x".repeat(MAX_BYTES));
        let html = folded(&long);
        assert!(html.len() < 20_000 && html.contains("href=\"/v1/jobs/1\""));
    }
}
