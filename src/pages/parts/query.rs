//! Query strings of links.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that are percent-encoded: all but the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns a query string of the values that are not empty, with its `?`. Returns an empty text if
/// there are none.
pub(crate) fn query_string(pairs: &[(&str, Option<String>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let Some(value) = value.as_ref().filter(|value| !value.is_empty()) else { continue };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, RESERVED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_omits_empty_values_and_encodes_the_others() {
        let pairs = [("state", None), ("tag", Some("a&b=\"<é".into())), ("kind", Some("".into()))];
        assert_eq!(query_string(&pairs), "?tag=a%26b%3D%22%3C%C3%A9");
        assert_eq!(query_string(&[("id", Some("-._~ /+".into()))]), "?id=-._~%20%2F%2B");
        assert_eq!(query_string(&[("id", None)]), "");
    }
}
