//! What a query string or a form says: names with their values, read one by one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::pages::trouble::Trouble;

/// The values of a query string or a form. A field that was left empty is as one that is not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    values: BTreeMap<String, Vec<String>>,
}

impl Fields {
    /// Reads what is written as in a query string.
    pub(super) fn parse(text: &str) -> Result<Self, Trouble> {
        let pairs = Query::<Vec<(String, String)>>::from_query(text).map_err(Trouble::bad)?;
        let mut fields = Self::default();
        for (name, value) in pairs.into_inner() {
            if !value.is_empty() {
                fields.values.entry(name).or_default().push(value);
            }
        }
        Ok(fields)
    }

    /// Reads the query string of a page.
    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, Trouble> {
        Self::parse(request.query_string())
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// The value of a field, without the blanks around it.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|word| !word.is_empty())
    }

    /// Every value of a field that may stand more than once.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.into(), vec![value.into()]);
    }

    /// The value of a field, read; where it cannot be, what it should be is added to `problems`.
    pub(super) fn read<T: FromStr>(
        &self,
        name: &'static str,
        wanted: impl Display,
        problems: &mut Vec<String>,
    ) -> Option<T> {
        let parsed = self.word(name)?.parse().ok();
        if parsed.is_none() {
            problems.push(format!("{name} {wanted}"));
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_empty_is_not_there() {
        let fields = Fields::parse("state=&queue=+mail+&id=1&id=2").unwrap();
        assert_eq!(fields.get("state"), None);
        assert_eq!(fields.word("queue"), Some("mail"));
        assert_eq!(fields.all("id"), ["1", "2"]);
    }
}
