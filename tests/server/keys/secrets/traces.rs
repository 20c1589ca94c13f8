//! Traces: texts that were sent, stored or logged, in which no secret may be found.

use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Length of the parts of a secret that are searched, so that a shortened secret is found as well.
const PART_BYTES: usize = 16;

/// Starts of the names of the files of a database and of its backup.
const DATABASES: [&str; 2] = ["longshore.db", "copy.db"];

/// A secret, in the forms in which it is searched.
struct Hidden {
    name: String,
    forms: Vec<Vec<u8>>,
    /// Whether the database may have it.
    is_stored: bool,
}

/// Secrets, and the texts in which they are searched.
#[derive(Default)]
pub(crate) struct Traces {
    secrets: Vec<Hidden>,
    places: Vec<(String, Vec<u8>)>,
}

impl Traces {
    /// Adds a secret, which `name` describes in a failure.
    pub(crate) fn hide(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= PART_BYTES, "{name} is too short to be searched");
        let secret = secret.as_bytes();
        // The first bytes of a key or token say only what it is.
        let forms = forms(secret, 3.min(secret.len() - PART_BYTES));
        self.secrets.push(Hidden { name: name.to_owned(), forms, is_stored: false });
    }

    /// Adds the value of a webhook secret. The database has its bytes, and nothing has its text.
    pub(super) fn hide_webhook_secret(&mut self, name: &str, text: &str) {
        self.hide(name, text);
        let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap();
        let name = format!("the bytes of {name}");
        self.secrets.push(Hidden { name, forms: forms(&bytes, 0), is_stored: true });
    }

    /// Panics unless a file of the database has each secret that it may have, so that a search finds it there.
    pub(super) fn assert_stored(&self) {
        for secret in self.secrets.iter().filter(|secret| secret.is_stored) {
            let mut files = self.places.iter().filter(|(place, _)| is_database(place));
            assert!(files.any(|(_, text)| secret.is_in(text)), "{} is not stored", secret.name);
        }
    }

    /// Adds a text in which no secret may be.
    pub(crate) fn add(&mut self, place: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.places.push((place.into(), text.into()));
    }

    /// Adds every file in a directory but those with these names.
    pub(crate) fn add_files(&mut self, when: &str, directory: &Path, except: &[&str]) {
        for entry in std::fs::read_dir(directory).unwrap().map_while(Result::ok) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && !except.contains(&name.as_str()) {
                self.add(format!("{name} {when}"), std::fs::read(entry.path()).unwrap());
            }
        }
    }

    /// Returns how many texts there are, and how many bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.places.len(), self.places.iter().map(|(_, text)| text.len()).sum())
    }

    /// Returns each secret with each place where it, a part of it or an encoded form of it was found.
    pub(crate) fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        for secret in &self.secrets {
            let may_have = |place: &str| secret.is_stored && is_database(place);
            let places = self.places.iter().filter(|(place, _)| !may_have(place));
            let places = places.filter(|(_, text)| secret.is_in(text));
            found.extend(places.map(|(place, _)| format!("{} is in {place}", secret.name)));
        }
        found
    }
}

fn is_database(place: &str) -> bool {
    DATABASES.iter().any(|name| place.starts_with(name))
}

impl Hidden {
    fn is_in(&self, text: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(text, form))
    }
}

/// Returns the parts of a secret and its encoded forms. The parts leave out bytes at its start.
fn forms(bytes: &[u8], left_out: usize) -> Vec<Vec<u8>> {
    let parts = bytes[left_out..].chunks_exact(PART_BYTES);
    let mut forms: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    // The end may depend on what follows, so it is left out.
    let encoded = |text: String| text.as_bytes()[..text.len() * 3 / 4 / 4 * 4].to_vec();
    forms.push(encoded(BASE64_STANDARD.encode(bytes)));
    forms.push(encoded(BASE64_URL_SAFE_NO_PAD.encode(bytes)));
    forms.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
    // As Rust prints a list of bytes.
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    forms.push(numbers.join(", ").into_bytes());
    forms
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    // Most positions are passed by the search for the first byte.
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == part[0]) {
        rest = &rest[start..];
        if rest.starts_with(part) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[test]
fn a_part_or_an_encoded_form_of_a_secret_is_found() {
    let secret = "ls_0123456789abcdefghijklmnopqrstuvwxyz";
    let found = |text: &str| {
        let mut traces = Traces::default();
        traces.hide("key", secret);
        traces.add("log", text);
        traces.found()
    };
    let basic = BASE64_STANDARD.encode(format!("{secret}x"));
    let bytes = format!("{:?}", secret.as_bytes());
    for text in [secret, &format!("key {}...", &secret[..25]), &basic, &bytes] {
        assert_eq!(found(text), ["key is in log"], "{text}");
    }
    assert!(found("ls_0123456789").is_empty() && found("").is_empty());
}
