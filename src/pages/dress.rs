//! What all pages share: the title, the place in the navigation, how they are kept fresh.

use std::fmt::Write;

/// How often the script looks for news where no event tells of it, in milliseconds.
pub(super) const LIVELY_MS: u32 = 2_000;
/// The same for pages that events keep fresh, or on which little happens.
pub(super) const CALM_MS: u32 = 10_000;

/// After how many seconds a page is loaded again where there is no script.
pub(super) const RELOAD_SECS: u32 = 5;
/// The same for pages on which something is chosen or typed: it would be lost.
pub(super) const SLOW_RELOAD_SECS: u32 = 30;

/// The pages of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Jobs,
    Batches,
    Submit,
    Demo,
    /// None of them.
    Elsewhere,
}

/// A link of the navigation.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) is_here: bool,
}

/// What the layout needs to know of a page.
#[derive(Debug, Clone)]
pub(super) struct Dress {
    pub(super) title: String,
    place: Place,
    /// Where events come from that make the page old.
    pub(super) events: Option<String>,
    /// How often to look for news, in milliseconds.
    pub(super) every_ms: Option<u32>,
    /// After how many seconds to load it again without a script.
    pub(super) reload_secs: Option<u32>,
}

impl Dress {
    /// A page that stays as it is.
    pub(super) fn still(title: impl Into<String>, place: Place) -> Self {
        Self { title: title.into(), place, events: None, every_ms: None, reload_secs: None }
    }

    /// A page that is kept fresh.
    pub(super) fn live(title: impl Into<String>, place: Place, every_ms: u32) -> Self {
        let still = Self::still(title, place);
        Self { every_ms: Some(every_ms), reload_secs: Some(RELOAD_SECS), ..still }
    }

    /// Kept fresh by these events as well.
    pub(super) fn events(self, path: impl Into<String>) -> Self {
        Self { events: Some(path.into()), ..self }
    }

    /// Loaded again more seldom without a script.
    pub(super) fn reload(self, secs: u32) -> Self {
        Self { reload_secs: Some(secs), ..self }
    }

    /// The navigation.
    pub(super) fn links(&self) -> [Link; 5] {
        let link = |path, name, place| Link { path, name, is_here: self.place == place };
        [
            link("/", "Overview", Place::Overview),
            link("/jobs", "Jobs", Place::Jobs),
            link("/batches", "Batches", Place::Batches),
            link("/submit", "Submit", Place::Submit),
            link("/demo", "Demo", Place::Demo),
        ]
    }

    /// Which version of the stylesheet and the script belongs to this page.
    pub(super) fn version(&self) -> &'static str {
        super::assets::version()
    }
}

/// Writes a text into a query string or a path.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A query string of the values that are there, with its `?`; empty where there are none.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let Some(value) = value.as_ref().filter(|value| !value.is_empty()) else { continue };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&encode(value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_what_is_there_and_breaks_out_of_nothing() {
        let pairs = [("state", None), ("tag", Some("a&b=\"<é".into())), ("kind", Some("".into()))];
        assert_eq!(query(&pairs), "?tag=a%26b%3D%22%3C%C3%A9");
        assert_eq!(query(&[("id", None)]), "");
    }
}
