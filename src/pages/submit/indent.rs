//! Indentation of JSON for editing.

/// Number of bytes that indentation may add to any text, however short it is.
pub(super) const MAX_ADDED_BYTES: usize = 1 << 10;

/// Indents JSON with one entry per line. Only white space changes: parsing and serializing would also
/// rewrite numbers such as `1.50` and escapes in strings.
///
/// A deeply nested value can grow a hundredfold. One that would more than double is returned as it is.
pub(super) fn indent(json: &str) -> String {
    let max_bytes = 2 * json.len() + MAX_ADDED_BYTES;
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut is_escaped) = (false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if text.len() > max_bytes {
            return json.to_owned();
        }
        if in_string {
            text.push(letter);
            in_string = is_escaped || letter != '"';
            is_escaped = letter == '\\' && !is_escaped;
            continue;
        }
        match letter {
            ' ' | '\n' | '\r' | '\t' => {}
            '"' => {
                in_string = true;
                text.push(letter);
            }
            '{' | '[' => {
                text.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(letter);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            letter => text.push(letter),
        }
    }
    if text.len() > max_bytes { json.to_owned() } else { text }
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_changes() {
        let json = r#"{"b":1.50,"a":[ ],"c":{"text":"a, \"b\": {\\"},"d":[1,2]}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {\n    \
            \"text\": \"a, \\\"b\\\": {\\\\\"\n  },\n  \"d\": [\n    1,\n    2\n  ]\n}";
        assert_eq!(indent(json), expected);
        assert_eq!(indent(&indent(json)), expected);
        assert_eq!(indent("null"), "null");
    }

    #[test]
    fn a_value_that_would_more_than_double_is_not_indented() {
        let flat = format!("[{}1]", "1,".repeat(1_000));
        let deep = format!("{}{flat}{}", "[".repeat(120), "]".repeat(120));
        let wide = format!("[{}1]", "\"a text of some length\",".repeat(1_000));
        assert_eq!(indent(&deep), deep);
        assert!(indent(&wide).len() <= 2 * wide.len() && indent(&wide) != wide);
    }
}
