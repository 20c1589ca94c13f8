//! No unfinished work is left behind, and every file starts with a description.

use crate::assert_none;
use crate::source::{Source, sources, tokens};

/// Comment marks of unfinished work. They are split so that this file does not contain them.
const MARKS: [&str; 3] = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];

/// Macros for unfinished work and for debugging.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

fn marks(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let is_marked = |mark: &&&str| line.split(is_separator).any(|word| word == **mark);
        if let Some(mark) = MARKS.iter().find(is_marked) {
            faults.push(format!("{}:{}: {mark}", source.path, index + 1));
        }
    }
    for pair in tokens(&source.text).windows(2) {
        if pair[1].text == "!" && MACROS.contains(&pair[0].text.as_str()) {
            faults.push(format!("{}:{}: {}!", source.path, pair[0].line, pair[0].text));
        }
    }
    faults
}

fn is_separator(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}

/// Returns whether a file starts with a module comment, or is generated.
fn has_description(source: &Source) -> bool {
    source.text.starts_with("//!")
        || source.text.contains("@generated")
        || source.path.contains("sql_types")
}

#[test]
fn no_unfinished_work_is_left() {
    let sources = sources(&["src", "tests", "benches", "examples"], "rs");
    assert_none(&sources.iter().flat_map(marks).collect::<Vec<_>>());
}

#[test]
fn no_file_has_a_catch_all_name() {
    let catch_alls = ["util.rs", "utils.rs", "common.rs", "misc.rs"];
    let all = sources(&["src", "tests", "benches", "examples"], "rs");
    let is_catch_all =
        |path: &str| catch_alls.iter().any(|name| path.ends_with(&format!("/{name}")));
    let found: Vec<String> =
        all.into_iter().map(|source| source.path).filter(|path| is_catch_all(path)).collect();
    assert_none(&found);
}

#[test]
fn every_file_starts_with_a_description() {
    let all = sources(&["src", "tests", "benches", "examples"], "rs");
    let undescribed = all.into_iter().filter(|source| !has_description(source));
    assert_none(&undescribed.map(|source| source.path).collect::<Vec<_>>());
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn unfinished_work_is_found() {
        for text in
            ["let a = todo!();", "// XX\u{58}: later", concat!("/* FIX", "ME */"), "dbg!(a)"]
        {
            assert_eq!(marks(&source("src/a.rs", text)).len(), 1, "{text}");
        }
        assert_none(&marks(&source("src/a.rs", "let todo = \"todo!\"; a != b;")));
    }

    #[test]
    fn a_file_without_a_description_is_found() {
        assert!(!has_description(&source("src/a.rs", "use std::fmt;")));
        assert!(has_description(&source("src/a.rs", "//! Lanes.")));
    }
}
