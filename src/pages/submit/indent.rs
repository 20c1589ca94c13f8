//! JSON written out for editing, its letters kept.

/// The same JSON, an entry a line. Numbers and texts keep their letters, which reading it would not.
pub(super) fn indent(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let (mut is_text, mut is_escaped) = (false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_text {
            text.push(letter);
            is_text = is_escaped || letter != '"';
            is_escaped = letter == '\\' && !is_escaped;
            continue;
        }
        match letter {
            ' ' | '\n' | '\r' | '\t' => {}
            '"' => {
                is_text = true;
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
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_kept_and_only_space_changes() {
        let json = r#"{"b":1.50,"a":[ ],"c":{"text":"a, \"b\": {\\"},"d":[1,2]}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {\n    \
            \"text\": \"a, \\\"b\\\": {\\\\\"\n  },\n  \"d\": [\n    1,\n    2\n  ]\n}";
        assert_eq!(indent(json), expected);
        assert_eq!(indent(&indent(json)), expected);
        assert_eq!(indent("null"), "null");
    }
}
