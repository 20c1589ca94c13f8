//! The values at several JSON pointers (RFC 6901) of one document, found in a single pass.
//!
//! The tokens of the pointers form a tree (trie). The pass follows it through the document, notes where the
//! values start and end, and skips everything else. So its time depends on the size of the document, and not on
//! the number of pointers or on their lengths. For example, `/a/0` and `/a/1/b` make the tree
//!
//! ```text
//! (document) -- a -- 0
//!                 \- 1 -- b
//! ```

use std::borrow::Cow;

/// Returns the text of the value at each pointer, byte for byte, or `None` if there is none. The document must be
/// valid JSON. The last of several fields with one name counts, as in most parsers.
pub(super) fn find_values<'d>(document: &'d str, pointers: &[&str]) -> Vec<Option<&'d str>> {
    let mut tree = Tree { nodes: vec![Node::default()] };
    for pointer in pointers {
        tree.add(pointer);
    }
    tree.scan(document.as_bytes());
    let range = |pointer: &&str| tree.range(pointer);
    pointers
        .iter()
        .map(|pointer| range(pointer).and_then(|(start, end)| document.get(start..end)))
        .collect()
}

/// Number of the node of the whole document.
const ROOT: usize = 0;

struct Tree<'p> {
    nodes: Vec<Node<'p>>,
}

/// A place in the document.
#[derive(Default)]
struct Node<'p> {
    children: Vec<Child<'p>>,
    /// Start and end of the value that was found there last.
    range: Option<(usize, usize)>,
}

struct Child<'p> {
    name: Cow<'p, str>,
    /// The name as an index of a list, if it is one.
    index: Option<usize>,
    node: usize,
}

/// An object or a list that the pass is in.
struct Open {
    node: usize,
    start: usize,
    is_list: bool,
    next_index: usize,
}

impl<'p> Tree<'p> {
    fn add(&mut self, pointer: &'p str) {
        let mut node = ROOT;
        for token in pointer.split('/').skip(1) {
            let name = unescape(token);
            node = self.child(node, &name).unwrap_or_else(|| {
                let added = self.nodes.len();
                let index = list_index(&name);
                self.nodes[node].children.push(Child { name, index, node: added });
                self.nodes.push(Node::default());
                added
            });
        }
    }

    /// Returns where the value at a pointer is. A value outside that of the place around it belonged to an
    /// earlier field of the same name.
    fn range(&self, pointer: &str) -> Option<(usize, usize)> {
        let (mut node, mut range) = (ROOT, self.nodes[ROOT].range?);
        for token in pointer.split('/').skip(1) {
            node = self.child(node, &unescape(token))?;
            let inner = self.nodes[node].range?;
            if inner.0 < range.0 || inner.1 > range.1 {
                return None;
            }
            range = inner;
        }
        Some(range)
    }

    fn child(&self, node: usize, name: &str) -> Option<usize> {
        let children = &self.nodes[node].children;
        children.iter().find(|child| child.name == name).map(|child| child.node)
    }

    fn child_at(&self, node: usize, index: usize) -> Option<usize> {
        let children = &self.nodes[node].children;
        children.iter().find(|child| child.index == Some(index)).map(|child| child.node)
    }

    /// Notes where the values of the nodes are in a document.
    fn scan(&mut self, text: &[u8]) {
        let (mut at, mut node) = (skip_space(text, 0), Some(ROOT));
        let mut open: Vec<Open> = Vec::new();
        loop {
            let inner = node.filter(|node| !self.nodes[*node].children.is_empty());
            match (text.get(at), inner) {
                (Some(b'{' | b'['), Some(node)) => {
                    let is_list = text[at] == b'[';
                    open.push(Open { node, start: at, is_list, next_index: 0 });
                    at += 1;
                }
                _ => {
                    let end = skip_value(text, at);
                    if let Some(node) = node {
                        self.nodes[node].range = Some((at, end));
                    }
                    at = end;
                }
            }
            match self.next_value(text, at, &mut open) {
                Some(next) => (at, node) = next,
                None => return,
            }
        }
    }

    /// Closes the objects and lists that end at `at`, and returns the start and the node of the next value.
    fn next_value(
        &mut self,
        text: &[u8],
        mut at: usize,
        open: &mut Vec<Open>,
    ) -> Option<(usize, Option<usize>)> {
        loop {
            at = skip_space(text, at);
            let around = open.last_mut()?;
            match text.get(at)? {
                b'}' | b']' => {
                    at += 1;
                    self.nodes[around.node].range = Some((around.start, at));
                    open.pop();
                }
                b',' => at += 1,
                _ if around.is_list => {
                    around.next_index += 1;
                    return Some((at, self.child_at(around.node, around.next_index - 1)));
                }
                _ => {
                    let end = skip_value(text, at);
                    let name = text.get(at..end).and_then(read_name)?;
                    let colon = skip_space(text, end);
                    return Some((skip_space(text, colon + 1), self.child(around.node, &name)));
                }
            }
        }
    }
}

fn unescape(token: &str) -> Cow<'_, str> {
    match token.contains('~') {
        true => Cow::Owned(token.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(token),
    }
}

fn list_index(token: &str) -> Option<usize> {
    let is_index = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| is_index)
}

/// Returns the name that is written in quotation marks.
fn read_name(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(quoted).ok()?;
    if text.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    text.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Returns the end of the value that starts at `at`.
fn skip_value(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => skip_string(text, at),
        Some(b'{' | b'[') => skip_nested(text, at),
        _ => {
            let rest = text.get(at..).unwrap_or_default();
            let is_end =
                |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            at + rest.iter().position(is_end).unwrap_or(rest.len())
        }
    }
}

fn skip_nested(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = skip_string(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn skip_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_found_as_it_is_written() {
        let document =
            r#" {"a" : [1.50, {"b/c": "x\"]}"} , [] ] , "\u0062" :{"~": null}, "": 7 } "#;
        let cases = [
            ("", Some(document.trim())),
            ("/a", Some(r#"[1.50, {"b/c": "x\"]}"} , [] ]"#)),
            ("/a/0", Some("1.50")),
            ("/a/1/b~1c", Some(r#""x\"]}""#)),
            ("/a/2", Some("[]")),
            ("/a/2/0", None),
            ("/a/3", None),
            ("/b/~0", Some("null")),
            ("/b/~0/x", None),
            ("/", Some("7")),
            ("/a/00", None),
            ("/a/+0", None),
            ("/a/-", None),
        ];
        let pointers = cases.map(|(pointer, _)| pointer);
        let found = find_values(document, &pointers);
        for ((pointer, expected), value) in cases.into_iter().zip(found) {
            assert_eq!(value, expected, "{pointer}");
            assert_eq!(find_values(document, &[pointer]), [expected], "alone: {pointer}");
        }
    }

    #[test]
    fn the_last_of_several_fields_with_one_name_counts() {
        let document = r#"{"a": {"b": 1}, "c": 2, "a": {"x": 3}, "c": {"d": 4}}"#;
        let found = find_values(document, &["/a/b", "/a/x", "/c", "/c/d"]);
        assert_eq!(found, [None, Some("3"), Some(r#"{"d": 4}"#), Some("4")]);
        let scalar = r#"{"a": {"b": 1}, "a": 5}"#;
        assert_eq!(find_values(scalar, &["/a/b", "/a"]), [None, Some("5")]);
    }

    #[test]
    fn a_deep_document_costs_one_pass_and_no_stack() {
        let depth = 200_000;
        let document = format!("{}7{}", "[".repeat(depth), "]".repeat(depth));
        let pointer = "/0".repeat(depth);
        assert_eq!(find_values(&document, &[&pointer]), [Some("7")]);
    }

    #[test]
    fn a_text_that_is_not_json_ends_the_pass() {
        for text in ["", "[", "{", "{\"a", "{\"a\"", "{\"a\":", "[1 2", "]", "{1:2}", "[,]", "\"\\"]
        {
            for pointer in ["", "/a", "/0"] {
                find_values(text, &[pointer]);
            }
        }
    }
}
