//! Traces: texts that were sent, stored or logged, in which no secret may be found.

use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Length of the parts of a secret that are searched, so that a shortened secret is found as well.
const PART_BYTES: usize = 16;

/// Secrets, and the texts in which they are searched.
#[derive(Default)]
pub(crate) struct Traces {
    secrets: Vec<(String, String)>,
    places: Vec<(String, Vec<u8>)>,
}

impl Traces {
    /// Adds a secret, which `name` describes in a failure.
    pub(crate) fn hide(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= PART_BYTES, "{name} is too short to be searched");
        self.secrets.push((name.to_owned(), secret.to_owned()));
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
        for (name, secret) in &self.secrets {
            let forms = forms(secret);
            let is_in = |text: &[u8]| forms.iter().any(|form| contains(text, form));
            let places = self.places.iter().filter(|(_, text)| is_in(text));
            found.extend(places.map(|(place, _)| format!("{name} is in {place}")));
        }
        found
    }
}

/// Returns the parts of a secret and its encoded forms.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    // The first bytes of a key or token say only what it is.
    let parts = bytes[3.min(bytes.len() - PART_BYTES)..].chunks_exact(PART_BYTES);
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
