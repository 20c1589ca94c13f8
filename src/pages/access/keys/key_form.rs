//! The form that creates a key.

use std::str::FromStr;

use crate::auth::api_key::{KeyName, NewKey};
use crate::auth::scope::{Scope, Scopes};
use crate::job::{Span, Timestamp};
use crate::pages::forms::fields::Fields;
use crate::server::{Error, Refusal};

/// What the check boxes of the scopes say.
const SCOPES: [(Scope, &str); 4] = [
    (Scope::Submit, "submit jobs, and read, wait for and cancel them"),
    (Scope::Read, "read everything that is shown"),
    (Scope::Work, "take jobs and report their results"),
    (Scope::Admin, "everything, and without queues also the keys"),
];

/// The form that creates a key: the values of its fields and their errors.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyForm {
    pub(super) name: String,
    scopes: Scopes,
    pub(super) queues: String,
    pub(super) expires_in: String,
    /// Errors with the names of their fields; those of no field have an empty name.
    errors: Vec<(&'static str, String)>,
}

/// A scope as a check box.
pub(super) struct ScopeBox {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) is_checked: bool,
}

impl KeyForm {
    /// Parses a submitted form. Returns it with the key to create, or without one if it has errors.
    pub(super) fn parse(fields: &Fields, now: Timestamp) -> (Self, Option<NewKey>) {
        let text = |name| fields.trimmed(name).unwrap_or_default().to_owned();
        let mut form = Self {
            name: text("name"),
            queues: text("queues"),
            expires_in: text("expires_in"),
            ..Self::default()
        };
        let name: Option<KeyName> = form.parsed("name", fields.trimmed("name").unwrap_or_default());
        let scopes = fields.all("scope").iter();
        let scopes: Vec<Scope> = scopes.filter_map(|scope| form.parsed("scopes", scope)).collect();
        form.scopes = Scopes::of(&scopes);
        if scopes.is_empty() && form.error("scopes").is_none() {
            form.add_error("scopes", "choose at least one");
        }
        let patterns = form.queues.clone();
        let patterns = patterns.split(|letter: char| letter == ',' || letter.is_whitespace());
        let patterns = patterns.filter(|pattern| !pattern.is_empty());
        let queues = patterns.filter_map(|pattern| form.parsed("queues", pattern)).collect();
        let expires_in: Option<Span> = match form.expires_in.clone() {
            text if text.is_empty() => None,
            text => form.parsed("expires_in", &text),
        };
        let expires_at = expires_in.map(|expires_in| now.plus(expires_in.duration()));
        let new_key = name.map(|name| NewKey { name, scopes: form.scopes, queues, expires_at });
        let new_key = new_key.filter(|_| form.errors.is_empty());
        (form, new_key)
    }

    /// Returns the form with what the server said about it.
    pub(super) fn with_error(mut self, error: &Error) -> Self {
        match error {
            Error::Invalid(problems) => {
                for problem in problems {
                    let field = match problem.pointer.as_str() {
                        "/scopes" => "scopes",
                        "/queues" => "queues",
                        "/expires_in" => "expires_in",
                        "/name" => "name",
                        _ => "",
                    };
                    self.add_error(field, &problem.detail);
                }
            }
            Error::Refused(Refusal::KeyNameTaken(_)) => self.add_error("name", &error.to_string()),
            error => self.add_error("", &error.to_string()),
        }
        self
    }

    /// Returns the first error of a field.
    pub(super) fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|(name, _)| *name == field).map(|(_, why)| why.as_str())
    }

    pub(super) fn scope_boxes(&self) -> Vec<ScopeBox> {
        let scope_box = |(scope, about): (Scope, &'static str)| ScopeBox {
            name: scope.as_str(),
            about,
            is_checked: self.scopes.iter().any(|checked| checked == scope),
        };
        SCOPES.into_iter().map(scope_box).collect()
    }

    fn add_error(&mut self, field: &'static str, why: &str) {
        self.errors.push((field, why.to_owned()));
    }

    fn parsed<T: FromStr<Err: ToString>>(&mut self, field: &'static str, text: &str) -> Option<T> {
        let parsed = text.parse();
        parsed.map_err(|error: T::Err| self.add_error(field, &error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (KeyForm, Option<NewKey>) {
        KeyForm::parse(&Fields::parse(text).unwrap(), Timestamp::from_millis(1_000))
    }

    #[test]
    fn a_form_becomes_a_key() {
        let form = "name=+web+shop+&scope=read&scope=submit&queues=mail.*,web%0D%0Aa&expires_in=1h";
        let (_, key) = parse(form);
        let key = key.unwrap();
        assert_eq!(key.name.as_str(), "web shop");
        assert_eq!(key.scopes.to_string(), "submit, read");
        let queues: Vec<_> = key.queues.iter().map(|pattern| pattern.as_str()).collect();
        assert_eq!(queues, ["mail.*", "web", "a"]);
        assert_eq!(key.expires_at, Some(Timestamp::from_millis(3_601_000)));
        let (_, key) = parse("name=a&scope=admin");
        let key = key.unwrap();
        assert_eq!((key.queues.len(), key.expires_at), (0, None));
    }

    #[test]
    fn an_error_is_reported_at_its_field_and_the_input_is_kept() {
        for (text, field) in [
            ("scope=read", "name"),
            ("name=a%E2%80%AEb&scope=read", "name"),
            ("name=a", "scopes"),
            ("name=a&scope=all", "scopes"),
            ("name=a&scope=read&queues=A+b", "queues"),
            ("name=a&scope=read&expires_in=soon", "expires_in"),
        ] {
            let (form, key) = parse(text);
            assert!(key.is_none(), "{text}");
            let fields: Vec<_> = form.errors.iter().map(|(field, _)| *field).collect();
            assert_eq!(fields, [field], "{text}");
        }
        let (form, _) = parse("name=a&scope=read&scope=work&queues=A&expires_in=1d");
        let checked: Vec<_> =
            form.scope_boxes().into_iter().filter(|scope| scope.is_checked).collect();
        assert_eq!(checked.iter().map(|scope| scope.name).collect::<Vec<_>>(), ["read", "work"]);
        assert_eq!((&*form.name, &*form.queues, &*form.expires_in), ("a", "A", "1d"));
    }
}
