//! The files of the project, and a reader of Rust that knows just enough: it passes over comments
//! and strings, and finds paths.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// A file of the project.
pub(crate) struct Source {
    /// Where it is, from the root on, such as `src/job/time.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this ending below these directories; a directory that is not there has none.
pub(crate) fn sources(directories: &[&str], ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for directory in directories {
        collect(&root().join(directory), ending, &mut found);
    }
    assert!(!found.is_empty(), "there is nothing in {directories:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every page for people: those at the root and those in `docs`.
pub(crate) fn pages() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join("docs"), "md", &mut found);
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(read(&path));
        }
    }
    found
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    Source { path, text }
}

fn collect(directory: &Path, ending: &str, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(read(&path));
        }
    }
}

/// A word or sign of Rust; comments and the contents of strings are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Takes a text apart.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, tokens: Vec::new() };
    while let Some(c) = reader.next() {
        reader.take(c);
    }
    reader.tokens
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.rest.peek() == Some(&wanted)
    }

    fn push(&mut self, text: impl Into<String>) {
        let line = self.line;
        self.tokens.push(Token { text: text.into(), line });
    }

    fn take(&mut self, c: char) {
        match c {
            '/' if self.next_is('/') => while self.next().is_some_and(|c| c != '\n') {},
            '/' if self.next_is('*') => self.pass_block_comment(),
            '"' => self.pass_string(),
            '\'' => self.pass_quote(),
            ':' if self.next_is(':') => {
                self.next();
                self.push("::");
            }
            c if c.is_alphanumeric() || c == '_' => self.take_word(c),
            c if c.is_whitespace() => {}
            c => self.push(c),
        }
    }

    fn take_word(&mut self, first: char) {
        let mut word = String::from(first);
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        let may_be_raw = matches!(word.as_str(), "r" | "br" | "cr");
        if may_be_raw && (self.next_is('#') || self.next_is('"')) {
            self.pass_raw_string();
        } else {
            self.push(word);
        }
    }

    fn pass_block_comment(&mut self) {
        let mut depth = 0;
        let mut before = '/';
        while let Some(c) = self.next() {
            match (before, c) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    before = c;
                    continue;
                }
            }
            before = ' ';
            if depth == 0 {
                return;
            }
        }
    }

    fn pass_string(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '"' => return,
                _ => {}
            }
        }
    }

    /// `r"..."`, `r#"..."#`; a raw word such as `r#type` ends at once.
    fn pass_raw_string(&mut self) {
        let mut hashes = 0;
        while self.next_is('#') {
            self.next();
            hashes += 1;
        }
        if !self.next_is('"') {
            return;
        }
        self.next();
        let mut seen = None;
        while let Some(c) = self.next() {
            seen = match (c, seen) {
                ('"', _) => Some(0),
                ('#', Some(count)) => Some(count + 1),
                _ => None,
            };
            if seen == Some(hashes) {
                return;
            }
        }
    }

    /// A character, or the name of a lifetime, which is passed over as well.
    fn pass_quote(&mut self) {
        match self.next() {
            Some('\\') => {
                self.next();
                while self.next().is_some_and(|c| c != '\'') {}
            }
            Some(_) if self.next_is('\'') => drop(self.next()),
            _ => while self.rest.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {},
        }
    }
}

/// A path such as `crate::job::State`, taken out of its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundPath {
    pub(crate) steps: Vec<String>,
    pub(crate) line: usize,
    /// In how many `mod name { }` of its file it stands.
    pub(crate) inner_mods: usize,
}

/// Every path of more than one step, and every single name behind `use`.
pub(crate) fn paths(tokens: &[Token]) -> Vec<FoundPath> {
    let mut found = Vec::new();
    let (mut depth, mut mods): (usize, Vec<usize>) = (0, Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let follows = |text: &str| tokens.get(at + 1).is_some_and(|next| next.text == text);
        let is_used = at > 0 && tokens[at - 1].text == "use";
        match token.text.as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|next| next.text == "{") => mods.push(depth),
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                mods.pop_if(|outer| *outer == depth);
            }
            _ if token.is_word() && (follows("::") || is_used) => {
                let mut steps = Vec::new();
                let end = walk(tokens, at, &mut steps, mods.len(), &mut found);
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Follows the tree of a path from `at`, and gives where it ends.
fn walk(
    tokens: &[Token],
    mut at: usize,
    steps: &mut Vec<String>,
    inner_mods: usize,
    found: &mut Vec<FoundPath>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let before = steps.len();
    loop {
        if text(at) == "{" {
            at += 1;
            while !matches!(text(at), "}" | "") {
                at = walk(tokens, at, steps, inner_mods, found);
                while !matches!(text(at), "," | "{" | "}" | "") {
                    at += 1;
                }
                at += usize::from(text(at) == ",");
            }
            steps.truncate(before);
            return at + 1;
        }
        let Some(token) = tokens.get(at) else { break };
        if token.is_word() || token.text == "*" {
            steps.push(token.text.clone());
            at += 1;
        }
        if text(at) != "::" || text(at + 1) == "<" {
            found.push(FoundPath { steps: steps.clone(), line: token.line, inner_mods });
            break;
        }
        at += 1;
    }
    steps.truncate(before);
    at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    fn found(text: &str) -> Vec<String> {
        paths(&tokens(text)).into_iter().map(|path| path.steps.join("::")).collect()
    }

    #[test]
    fn comments_strings_and_characters_are_passed_over() {
        let text = "a /* b /* c */ d */ e // f\n\"g \\\" h\" r#\"i \" j\"# 'k' '\\'' &'l m '{' n";
        assert_eq!(texts(text), ["a", "e", "&", "m", "n"]);
    }

    #[test]
    fn lines_are_counted_within_strings_as_well() {
        assert_eq!(tokens("\"\n\n\" a")[0].line, 3);
    }

    #[test]
    fn paths_are_taken_out_of_their_braces() {
        let text = "use a::{b, c::{d as x, e::*}, self}; f::g(h::<i>()); use j; k { l }";
        assert_eq!(found(text), ["a::b", "a::c::d", "a::c::e::*", "a::self", "f::g", "h", "j"]);
    }

    #[test]
    fn inner_modules_are_counted() {
        let text = "a::b; mod tests { use super::*; fn f() { c::d } } e::f";
        let counts: Vec<usize> =
            paths(&tokens(text)).into_iter().map(|path| path.inner_mods).collect();
        assert_eq!(counts, [0, 1, 1, 0]);
    }
}
