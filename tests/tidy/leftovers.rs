//! Nothing is left half done, and one word stands for one thing.

use crate::assert_none;
use crate::source::{Source, pages, sources, tokens};

/// Marks of unfinished work. Taken apart, so that this file has none.
const MARKS: [&str; 3] = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];

/// Macros that stand for unfinished work, and those for looking while it is done.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Words that stand for something else here, and the word to use.
const WORDS: [(&str, &str); 12] = [
    ("task", "job"),
    ("tasks", "jobs"),
    ("topic", "queue"),
    ("topics", "queues"),
    ("message queue", "queue"),
    ("reap", "rescue"),
    ("reaps", "rescues"),
    ("reaper", "Keeper"),
    ("ack", "finish"),
    ("nack", "finish"),
    ("promote", "stage"),
    ("gc", "prune"),
];

fn marks(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let is_marked = |mark: &&&str| line.split(is_no_letter).any(|word| word == **mark);
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

fn is_no_letter(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}

/// Wrong words in a text for people.
fn wrong_words(place: &str, text: &str) -> Vec<String> {
    let words: Vec<String> =
        text.split(is_no_letter).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let plain = format!(" {} ", words.join(" "));
    WORDS
        .into_iter()
        .filter(|(wrong, _)| plain.contains(&format!(" {wrong} ")))
        .map(|(wrong, right)| format!("{place}: \"{wrong}\" is called \"{right}\" here"))
        .collect()
}

/// What a line of Rust says to people: its comment.
fn comment(line: &str) -> &str {
    line.split_once("//").map_or("", |(_, comment)| comment)
}

/// Whether a file begins with what it is.
fn says_what_it_is(source: &Source) -> bool {
    source.text.starts_with("//!")
        || source.text.contains("@generated")
        || source.path.contains("sql_types")
}

#[test]
fn nothing_is_left_half_done() {
    let sources = sources(&["src", "tests", "benches", "examples"], "rs");
    assert_none(&sources.iter().flat_map(marks).collect::<Vec<_>>());
}

#[test]
fn no_file_is_a_drawer_for_anything() {
    let drawers = ["util.rs", "utils.rs", "common.rs", "misc.rs"];
    let all = sources(&["src", "tests", "benches", "examples"], "rs");
    let is_drawer = |path: &str| drawers.iter().any(|drawer| path.ends_with(&format!("/{drawer}")));
    let found: Vec<String> =
        all.into_iter().map(|source| source.path).filter(|path| is_drawer(path)).collect();
    assert_none(&found);
}

#[test]
fn every_file_begins_with_what_it_is() {
    let all = sources(&["src", "tests", "benches", "examples"], "rs");
    let silent = all.into_iter().filter(|source| !says_what_it_is(source));
    assert_none(&silent.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn one_word_stands_for_one_thing() {
    let mut faults = Vec::new();
    for source in sources(&["src", "examples"], "rs") {
        for (index, line) in source.text.lines().enumerate() {
            faults.extend(wrong_words(&format!("{}:{}", source.path, index + 1), comment(line)));
        }
    }
    for source in pages() {
        for (index, line) in source.text.lines().enumerate() {
            faults.extend(wrong_words(&format!("{}:{}", source.path, index + 1), line));
        }
    }
    assert_none(&faults);
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn unfinished_work_is_seen() {
        for text in
            ["let a = todo!();", "// XX\u{58}: later", concat!("/* FIX", "ME */"), "dbg!(a)"]
        {
            assert_eq!(marks(&source("src/a.rs", text)).len(), 1, "{text}");
        }
        assert_none(&marks(&source("src/a.rs", "let todo = \"todo!\"; a != b;")));
    }

    #[test]
    fn a_wrong_word_is_seen_and_part_of_another_is_not() {
        assert_eq!(wrong_words("", "Each Task is acked by an ack.").len(), 2);
        assert_eq!(wrong_words("", "a message queue").len(), 1);
        assert_none(&wrong_words("", "back to the tasking of gcc"));
        assert_eq!(comment("use std::task::Poll; // a task"), " a task");
    }

    #[test]
    fn a_file_that_says_nothing_of_itself_is_seen() {
        assert!(!says_what_it_is(&source("src/a.rs", "use std::fmt;")));
        assert!(says_what_it_is(&source("src/a.rs", "//! A thing.")));
    }
}
