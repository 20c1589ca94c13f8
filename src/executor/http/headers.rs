//! The headers in the payload of an `http` job.

use std::collections::HashMap;
use std::fmt;

use awc::http::header::{HeaderName, HeaderValue};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::{Secret, reserved_for};
use crate::executor::http::bound_secrets::BoundSecrets;
use crate::executor::outbound::Target;
use crate::executor::provider::{Headers, Provider};
use crate::job::problem::{Problem, Problems, Quoted, escape};

/// Headers by which some servers replace the path of a request, so that a job could leave the base URL of
/// its provider.
const PATH_HEADERS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// The headers of a payload, as they are listed there. A map would lose a name that is listed twice.
#[derive(Default)]
pub(super) struct HeaderFields(Vec<(String, String)>);

impl<'de> Deserialize<'de> for HeaderFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderFieldsVisitor)
    }
}

struct HeaderFieldsVisitor;

impl<'de> Visitor<'de> for HeaderFieldsVisitor {
    type Value = HeaderFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with names and values of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<HeaderFields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(HeaderFields(fields))
    }
}

/// Reads headers, and fills in the secrets that they name.
pub(super) struct HeaderReader<'a> {
    pub(super) secrets: &'a BoundSecrets,
    /// Where the request is sent; `None` if the payload does not say so validly, and is refused anyway.
    pub(super) target: Option<&'a Target>,
    pub(super) provider: Option<&'a Provider>,
    /// Secrets that were filled in.
    pub(super) used: Vec<Secret>,
}

impl HeaderReader<'_> {
    /// Returns the headers of a payload, and adds their problems to `problems`.
    pub(super) fn read(
        &mut self,
        HeaderFields(fields): &HeaderFields,
        problems: &mut Vec<Problem>,
    ) -> Headers {
        let mut headers = Vec::with_capacity(fields.len());
        let mut found = Problems::default();
        let mut first_names: HashMap<HeaderName, &str> = HashMap::with_capacity(fields.len());
        for (name, value) in fields {
            let pointer = || format!("/headers/{}", escape(name));
            match self.header(name, value) {
                Ok(header) => match first_names.insert(header.0.clone(), name) {
                    Some(first) => found.add(|| Problem::new(pointer(), repeated(first, name))),
                    None => headers.push(header),
                },
                Err(why) => found.add(|| Problem::new(pointer(), why)),
            }
        }
        problems.extend(found.into_vec("/headers"));
        headers
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err("is not a valid header name".into());
        };
        if let Some(who) = reserved_for(name.as_str()) {
            return Err(format!("is set by {who} and cannot be set by a job"));
        }
        if self.provider.is_some() && PATH_HEADERS.contains(&name.as_str()) {
            return Err("can change the path of the call and cannot be set with provider".into());
        }
        if self.provider.is_some_and(|provider| provider.authenticates_with(&name)) {
            return Err("is set by the provider and cannot be set by a job".into());
        }
        Ok((name, self.value(value)?))
    }

    fn value(&mut self, text: &str) -> Result<HeaderValue, String> {
        let used = self.used.len();
        let value = match self.target {
            Some(target) => {
                HeaderValue::try_from(self.secrets.fill(text, &target.url, &mut self.used)?)
            }
            None => HeaderValue::from_str(text),
        };
        let not_allowed = |_| "contains a character that is not allowed in a header";
        let mut value = value.map_err(not_allowed)?;
        // Keeps a secret out of `Debug` output.
        value.set_sensitive(self.used.len() > used);
        Ok(value)
    }
}

/// Describes a header that is listed more than once. Names are compared without regard to case (RFC
/// 9110, section 5.1).
fn repeated(first: &str, second: &str) -> String {
    let (first_quoted, second_quoted) = (Quoted(first), Quoted(second));
    if first == second {
        return format!("{first_quoted} is listed more than once");
    }
    format!("{first_quoted} and {second_quoted} are the same header; list it once")
}
