//! The source files of the project, and a minimal Rust tokenizer that skips comments and strings
//! and finds paths.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// A source file of the project.
pub(crate) struct Source {
    /// Path relative to the root of the project, such as `src/job/time.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every file with an extension below some directories. Missing directories are skipped.
pub(crate) fn sources(directories: &[&str], extension: &str) -> Vec<Source> {
    let names = file_names(directories).into_iter();
    let names = names.filter(|name| Path::new(name).extension().is_some_and(|it| it == extension));
    let read =
        |path: String| Source { text: fs::read_to_string(root().join(&path)).unwrap(), path };
    let found: Vec<Source> = names.map(read).collect();
    assert!(!found.is_empty(), "no {extension} files in {directories:?}");
    found
}

/// Returns the paths of all files below some directories, relative to the root of the project.
/// Missing directories are skipped.
pub(crate) fn file_names(directories: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for directory in directories {
        collect(&root().join(directory), &mut found);
    }
    found.sort();
    found
}

fn collect(directory: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// A word or punctuation character of Rust. Comments and strings have no tokens.
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

/// Splits a Rust source text into tokens.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokenizer = Tokenizer { chars: text.chars().peekable(), line: 1, tokens: Vec::new() };
    while let Some(c) = tokenizer.next() {
        tokenizer.take(c);
    }
    tokenizer.tokens
}

struct Tokenizer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    tokens: Vec<Token>,
}

impl Tokenizer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn next_is(&mut self, expected: char) -> bool {
        self.chars.peek() == Some(&expected)
    }

    fn push(&mut self, text: impl Into<String>) {
        let line = self.line;
        self.tokens.push(Token { text: text.into(), line });
    }

    fn take(&mut self, c: char) {
        match c {
            '/' if self.next_is('/') => while self.next().is_some_and(|c| c != '\n') {},
            '/' if self.next_is('*') => self.skip_block_comment(),
            '"' => self.skip_string(),
            '\'' => self.skip_quote(),
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
        while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        let may_be_raw = matches!(word.as_str(), "r" | "br" | "cr");
        if may_be_raw && (self.next_is('#') || self.next_is('"')) {
            self.skip_raw_string();
        } else {
            self.push(word);
        }
    }

    fn skip_block_comment(&mut self) {
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

    fn skip_string(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '"' => return,
                _ => {}
            }
        }
    }

    /// Skips a raw string such as `r"..."` or `r#"..."#`, but not a raw identifier such as `r#type`.
    fn skip_raw_string(&mut self) {
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

    /// Skips a character literal or the name of a lifetime.
    fn skip_quote(&mut self) {
        match self.next() {
            Some('\\') => {
                self.next();
                while self.next().is_some_and(|c| c != '\'') {}
            }
            Some(_) if self.next_is('\'') => drop(self.next()),
            _ => while self.chars.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {},
        }
    }
}

/// A path such as `crate::job::State`, with the braces of `use` expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundPath {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Number of inline modules (`mod name { }`) that contain the path.
    pub(crate) inner_mods: usize,
}

/// Returns every path with more than one segment, and every single name after `use`.
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
                let mut segments = Vec::new();
                let end = walk(tokens, at, &mut segments, mods.len(), &mut found);
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Adds all paths of the tree that starts at the token `at` to `found`. Returns the index of the
/// token after it.
fn walk(
    tokens: &[Token],
    mut at: usize,
    segments: &mut Vec<String>,
    inner_mods: usize,
    found: &mut Vec<FoundPath>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let before = segments.len();
    loop {
        if text(at) == "{" {
            at += 1;
            while !matches!(text(at), "}" | "") {
                at = walk(tokens, at, segments, inner_mods, found);
                while !matches!(text(at), "," | "{" | "}" | "") {
                    at += 1;
                }
                at += usize::from(text(at) == ",");
            }
            segments.truncate(before);
            return at + 1;
        }
        let Some(token) = tokens.get(at) else { break };
        if token.is_word() || token.text == "*" {
            segments.push(token.text.clone());
            at += 1;
        }
        if text(at) != "::" || text(at + 1) == "<" {
            found.push(FoundPath { segments: segments.clone(), line: token.line, inner_mods });
            break;
        }
        at += 1;
    }
    segments.truncate(before);
    at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    fn found(text: &str) -> Vec<String> {
        paths(&tokens(text)).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn comments_strings_and_character_literals_are_skipped() {
        let text = "a /* b /* c */ d */ e // f\n\"g \\\" h\" r#\"i \" j\"# 'k' '\\'' &'l m '{' n";
        assert_eq!(texts(text), ["a", "e", "&", "m", "n"]);
    }

    #[test]
    fn lines_inside_strings_are_counted() {
        assert_eq!(tokens("\"\n\n\" a")[0].line, 3);
    }

    #[test]
    fn braces_in_paths_are_expanded() {
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
