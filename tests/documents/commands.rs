//! The commands in the shell examples of the documents are commands of the program.

use clap::Parser;
use longshore::cli::Cli;

use crate::{code_blocks, pages};

/// Returns the arguments of each command of the program in the shell examples of a page.
///
/// For example `$ (umask 077; longshore key list > keys)` has the arguments `key` and `list`. Commands with values that
/// only a shell can fill in are left out.
fn commands(page: &str) -> Vec<Vec<String>> {
    let blocks = code_blocks(page, "console").into_iter().chain(code_blocks(page, "bash"));
    let lines = blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    let commands = lines.filter_map(|line| {
        let line = line.trim_start_matches("$ ");
        let line = line.strip_prefix("(umask 077; ").unwrap_or(line);
        line.strip_prefix("longshore ").map(words)
    });
    commands.filter(|words| !words.iter().any(|word| word.contains(['$', '\\']))).collect()
}

/// Splits the first command of a line into words, as a shell does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(end), letter) if end == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '&' | '#' | ')' | ';') => break,
            (None, ' ') => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_in_the_documents_is_one_of_the_program() {
    let mut count = 0;
    for page in pages() {
        for words in commands(&page.text) {
            let all = [&["longshore".to_owned()], words.as_slice()].concat();
            let parsed = Cli::try_parse_from(&all);
            assert!(parsed.is_ok(), "{}: {}: {}", page.name, words.join(" "), parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn a_command_that_the_program_does_not_have_is_found() {
    let page = "```console\n$ (umask 077; longshore key create --name 'web shop' > shop.key)\n```";
    let words = commands(page).remove(0);
    assert_eq!(words, ["key", "create", "--name", "web shop"]);
    assert!(Cli::try_parse_from([&["longshore".to_owned()], &words[..]].concat()).is_err());
}
