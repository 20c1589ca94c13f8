//! Limits on the length of files and functions, and on the number of files in a folder.

use std::collections::BTreeMap;

use crate::assert_none;
use crate::source::{Source, Token, file_names, sources, tokens};

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_FILES_IN_A_FOLDER: usize = 14;

fn too_long(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_FILE_LINES {
        faults.push(format!("{} has {lines} lines", source.path));
    }
    let tokens = tokens(&source.text);
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let Some((name, lines)) = function(&tokens[at..]) else { continue };
        if lines > MAX_FUNCTION_LINES {
            let line = tokens[at].line;
            faults.push(format!("{}:{line}: {name} has {lines} lines", source.path));
        }
    }
    faults
}

/// Returns the name and the number of lines of the function at the start of `tokens`, or `None` if
/// it has no body, as in a trait.
fn function(tokens: &[Token]) -> Option<(&str, usize)> {
    let name = tokens.get(1).filter(|token| token.is_word())?;
    let (mut nesting, mut depth) = (0, 0);
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => nesting += 1,
            ")" | "]" => nesting -= 1,
            ";" if nesting == 0 && depth == 0 => return None,
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => continue,
        }
        if token.text == "}" && depth == 0 {
            return Some((&name.text, token.line - tokens[0].line + 1));
        }
    }
    None
}

/// Returns a fault for each folder that has too many files directly in it.
fn too_full(files: &[String]) -> Vec<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for (folder, name) in files.iter().filter_map(|path| path.rsplit_once('/')) {
        // Directly in `src/`, the file of a layer stands for its folder.
        let folder_of_layer = format!("src/{}/", name.trim_end_matches(".rs"));
        if folder == "src" && files.iter().any(|path| path.starts_with(&folder_of_layer)) {
            continue;
        }
        *counts.entry(folder).or_default() += 1;
    }
    let full = counts.into_iter().filter(|(_, count)| *count > MAX_FILES_IN_A_FOLDER);
    full.map(|(folder, count)| format!("{folder} has {count} files")).collect()
}

#[test]
fn no_folder_has_too_many_files() {
    assert_none(&too_full(&file_names(&["src", "tests"])));
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let sources = sources(&["src", "tests", "benches", "examples"], "rs");
    assert_none(&sources.iter().flat_map(too_long).collect::<Vec<_>>());
}

mod samples {
    use super::*;

    fn faults(text: String) -> usize {
        too_long(&Source { path: "src/a.rs".into(), text }).len()
    }

    #[test]
    fn a_folder_with_many_files_is_found() {
        let files = |count| (0..count).map(|number| format!("src/a/{number}.rs"));
        let other = ["src/a/b/c.rs".to_owned(), "src/a.rs".to_owned()];
        assert_none(&too_full(&files(14).chain(other).collect::<Vec<_>>()));
        assert_eq!(too_full(&files(15).collect::<Vec<_>>()), ["src/a has 15 files"]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(faults("//\n".repeat(400)), 0);
        assert_eq!(faults("//\n".repeat(401)), 1);
    }

    #[test]
    fn a_long_function_is_found_even_if_its_strings_contain_braces() {
        let function =
            |lines| format!("fn a() {{\n{}\"}}\";\n}}\nfn b() {{}}\n", "x;\n".repeat(lines));
        assert_eq!(faults(function(67)), 0);
        assert_eq!(faults(function(68)), 1);
        let without_body = format!("trait A {{ fn a(b: [u8; 4]); {} }}", "\n".repeat(80));
        assert_eq!(faults(without_body), 0);
    }
}
