//! What is written for people is true of the program.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use longshore::config::{Config, Overrides, load};
use longshore::job::Submission;
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn example() -> String {
    fs::read_to_string(file("longshore.example.toml")).unwrap()
}

/// The example with its settings that are commented out, which begin with `#` and no space.
fn whole_example() -> String {
    let text = example();
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where every value of a tree stands, such as `/jobs/timeout`.
fn places(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| places(value, &format!("{at}/{name}"))).collect()
        }
        _ => vec![at.to_owned()],
    }
}

/// The blocks of a page in a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let parts = page.split(&begin).skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn the_example_configuration_is_the_default() {
    let config = load(Some(&file("longshore.example.toml")), [], &Overrides::default()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_example_configuration_names_every_setting() {
    let config: Config = toml::from_str(&whole_example()).unwrap();
    let known = places(&serde_json::to_value(&config).unwrap(), "");
    let written: Value = toml::from_str(&whole_example()).unwrap();
    let written = places(&written, "");
    for place in &known {
        assert!(written.contains(place), "{place} is missing in longshore.example.toml");
    }
    assert_eq!(known.len(), written.len());
    let has_all = |text: &str| written.iter().any(|place| place.starts_with(text));
    assert!(
        ["/queues/", "/providers/", "/commands/", "/outbound/ca_file"].into_iter().all(has_all)
    );
}

#[test]
fn the_configurations_in_the_readme_can_be_read() {
    let page = fs::read_to_string(file("README.md")).unwrap();
    let blocks = blocks(&page, "toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let config: Result<Config, _> = toml::from_str(block);
        assert!(config.is_ok(), "{block}\n{}", config.unwrap_err());
    }
}

#[test]
fn the_jobs_in_the_readme_can_be_read() {
    let page = fs::read_to_string(file("README.md")).unwrap();
    let bodies = page.split("-d '").skip(1).map(|part| part.split('\'').next().unwrap());
    let jobs: Vec<&str> = bodies.filter(|body| body.starts_with("{\"kind\"")).collect();
    assert!(jobs.len() > 5, "{jobs:?}");
    for job in jobs {
        let submission: Result<Submission, _> = serde_json::from_str(job);
        assert!(submission.is_ok(), "{job}\n{}", submission.unwrap_err());
    }
}

/// The tests that a page names: words of at least three parts in backticks, in the last column.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let words = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    words.filter(|word| word.matches('_').count() >= 2 && !word.contains('.')).collect()
}

fn rust_of(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&rust_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn the_tests_that_prove_the_invariants_are_there() {
    let page = fs::read_to_string(file("docs/ARCHITECTURE.md")).unwrap();
    let page = page.split("## Invariants").nth(1).unwrap();
    let page = page.split("\n## ").next().unwrap();
    let names = named_tests(page);
    assert!(names.len() > 20, "{names:?}");
    let code = rust_of(&file("src")) + &rust_of(&file("tests"));
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

#[test]
fn each_fault_stands_on_the_page_of_the_promises_with_its_tests() {
    let page = fs::read_to_string(file("docs/RELIABILITY.md")).unwrap();
    let names = named_tests(&page);
    assert!(names.len() > 30, "{names:?}");
    let code = rust_of(&file("tests"));
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
    let begun = code.split("Row::begin(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let faults: BTreeSet<&str> = begun.chain(["L10"]).collect();
    assert!(faults.len() > 15, "{faults:?}");
    for fault in faults {
        assert!(page.contains(&format!("\n| {fault} |")), "{fault} is missing");
    }
}
