//! The fields of a query string or a form, and how they are parsed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::pages::response::error_page::PageError;

/// The fields of a query string or a form, by name. Empty fields are treated as missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    values: BTreeMap<String, Vec<String>>,
}

impl Fields {
    /// Parses `application/x-www-form-urlencoded` text, the format of query strings and forms.
    pub(crate) fn parse(text: &str) -> Result<Self, PageError> {
        let pairs =
            Query::<Vec<(String, String)>>::from_query(text).map_err(PageError::bad_request)?;
        let mut fields = Self::default();
        for (name, value) in pairs.into_inner() {
            if !value.is_empty() {
                fields.values.entry(name).or_default().push(value);
            }
        }
        Ok(fields)
    }

    /// Parses the query string of a request.
    pub(crate) fn from_query(request: &HttpRequest) -> Result<Self, PageError> {
        Self::parse(request.query_string())
    }

    /// Returns the first value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// Returns the first value of a field without surrounding white space, if that is not empty.
    pub(crate) fn trimmed(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Returns all values of a field that may occur more than once.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Sets a field.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.into(), vec![value.into()]);
    }

    /// Removes a field.
    pub(crate) fn remove(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Converts the line breaks of all values to LF. Browsers send every line break in a form as CR LF
    /// (HTML, "constructing the entry list").
    #[must_use]
    pub(crate) fn with_plain_line_breaks(mut self) -> Self {
        for value in self.values.values_mut().flatten().filter(|value| value.contains('\r')) {
            *value = value.replace("\r\n", "\n");
        }
        self
    }

    /// Parses the value of a field. If that fails, adds `NAME REQUIREMENT` to `problems`, such as
    /// "batch must be a number".
    pub(crate) fn read<T: FromStr>(
        &self,
        name: &'static str,
        requirement: impl Display,
        problems: &mut Vec<String>,
    ) -> Option<T> {
        let parsed = self.trimmed(name)?.parse().ok();
        if parsed.is_none() {
            problems.push(format!("{name} {requirement}"));
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_treated_as_missing() {
        let fields = Fields::parse("state=&queue=+mail+&id=1&id=2").unwrap();
        assert_eq!(fields.get("state"), None);
        assert_eq!(fields.trimmed("queue"), Some("mail"));
        assert_eq!(fields.all("id"), ["1", "2"]);
    }

    #[test]
    fn line_breaks_of_a_form_become_plain() {
        let fields = Fields::parse("text=%0D%0Aa%0D%0D%0Ab%0Ac").unwrap().with_plain_line_breaks();
        assert_eq!(fields.get("text"), Some("\na\r\nb\nc"));
    }
}
