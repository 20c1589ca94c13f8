//! The documents agree with the program: examples can be read, named tests and files exist, links
//! resolve.

#![allow(clippy::unwrap_used, reason = "a test fails at the first unexpected error")]

mod commands;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use longshore::api::routes::ROUTES;
use longshore::api::routes::access::Access;
use longshore::api::routes::pages::PAGES;
use longshore::config::{Config, Overrides, load};
use longshore::job::Submission;
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A Markdown document.
struct Page {
    /// Path from the root of the project, such as `docs/API.md`.
    name: String,
    text: String,
}

/// Returns README.md, CONTRIBUTING.md and every page in docs/.
fn pages() -> Vec<Page> {
    let docs = fs::read_dir(file("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    let mut names: Vec<String> = docs.filter(|name| name.ends_with(".md")).collect();
    names.extend(["README.md".into(), "CONTRIBUTING.md".into()]);
    names.sort();
    let existing = names.into_iter().filter(|name| file(name).exists());
    existing.map(|name| Page { text: fs::read_to_string(file(&name)).unwrap(), name }).collect()
}

/// Returns the example configuration with its settings uncommented: lines that start with `#` and no
/// space.
fn complete_example() -> String {
    let text = fs::read_to_string(file("longshore.example.toml")).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the path of every leaf of a tree, such as `/jobs/timeout`.
fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| leaves(value, &format!("{at}/{name}"))).collect()
        }
        _ => vec![at.to_owned()],
    }
}

/// Returns the contents of the fenced code blocks of a page in a language.
fn code_blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn the_example_configuration_is_the_default() {
    let config = load(Some(&file("longshore.example.toml")), [], &Overrides::default()).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_example_configuration_names_every_setting() {
    let config: Config = toml::from_str(&complete_example()).unwrap();
    let known = leaves(&serde_json::to_value(&config).unwrap(), "");
    let written: Value = toml::from_str(&complete_example()).unwrap();
    let written = leaves(&written, "");
    for setting in &known {
        assert!(written.contains(setting), "{setting} is missing in longshore.example.toml");
    }
    assert_eq!(known.len(), written.len());
    let has_some = |text: &str| written.iter().any(|setting| setting.starts_with(text));
    let optional = [
        "/queues/",
        "/kinds/",
        "/providers/openai/",
        "/providers/azure/auth/",
        "/providers/azure/query/",
        "/providers/azure/headers/",
        "/secrets/",
        "/commands/",
        "/outbound/ca_file",
        "/outbound/proxy",
        "/first_key_file",
    ];
    assert!(optional.into_iter().all(has_some));
}

/// Returns the problems of a configuration, except for those that depend on the machine.
fn config_problems(text: &str) -> Vec<String> {
    let config: Config = match toml::from_str(text) {
        Ok(config) => config,
        Err(error) => return vec![error.to_string()],
    };
    let depends_on_machine = |pointer: &str| {
        pointer.ends_with("_env") || pointer.ends_with("/cwd") || pointer.contains("/env_")
    };
    let problems = config.problems().into_iter();
    problems
        .filter(|problem| !depends_on_machine(&problem.pointer))
        .map(|found| found.to_string())
        .collect()
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let mut count = 0;
    for Page { name, text } in pages() {
        for block in code_blocks(&text, "toml") {
            assert_eq!(config_problems(block), [""; 0], "{name}:\n{block}");
            count += 1;
        }
    }
    assert!(count > 3, "{count} configurations");
}

#[test]
fn an_invalid_configuration_is_found() {
    assert_eq!(config_problems("[lanes]\nasync = 0").len(), 1);
    assert_eq!(config_problems("leese = \"5m\"").len(), 1);
}

/// Returns the bodies of single jobs in the curl commands of a page: `-d '{"kind": ...}'`.
fn submissions(page: &str) -> impl Iterator<Item = &str> {
    let bodies = page.split("-d '").skip(1).map(|part| part.split('\'').next().unwrap());
    bodies.filter(|body| body.starts_with("{\"kind\":"))
}

#[test]
fn every_submission_in_the_documents_is_valid() {
    let mut count = 0;
    for Page { name, text } in pages() {
        for body in submissions(&text) {
            let submission: Result<Submission, _> = serde_json::from_str(body);
            assert!(submission.is_ok(), "{name}: {body}\n{}", submission.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 10, "{count} submissions");
}

/// Returns the rows of a table whose first column is a method and a path in backticks.
fn access_rows(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| row.split_once("` | "));
    let is_route = |(route, _): &(&str, &str)| route.contains(" /");
    rows.filter(is_route).map(|(route, scopes)| (route.to_owned(), scopes.to_owned())).collect()
}

/// Returns an access as the documents write it: `submit`, `read`.
fn written_access(access: Access) -> String {
    match access {
        Access::AllQueues => "`admin` without a queue pattern".into(),
        Access::Scopes(_) => {
            let names = access.to_string();
            names.split(" or ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        }
        Access::EveryScope(_) => {
            let names = access.to_string();
            names.split(" and ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
        }
        access => access.to_string(),
    }
}

#[test]
fn the_scopes_of_every_route_and_page_are_documented() {
    let page = fs::read_to_string(file("docs/SECURITY.md")).unwrap();
    let routes = ROUTES.iter().map(|route| (route.method, route.path, route.access));
    let pages = PAGES.iter().map(|page| (page.method, page.path, page.access));
    let expected: Vec<(String, String)> = routes
        .chain(pages)
        .map(|(method, path, access)| (format!("{method} {path}"), written_access(access)))
        .collect();
    assert_eq!(access_rows(&page), expected);
}

/// Returns the routes in the first column of a table, such as `GET /v1/jobs`.
fn listed_routes(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ["));
    let columns = rows.filter_map(|row| row.split('|').next());
    columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_api_page_lists_every_route_and_no_other() {
    let page = fs::read_to_string(file("docs/API.md")).unwrap();
    let routes: Vec<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(listed_routes(&page), routes.iter().map(String::as_str).collect());
}

/// Returns the tests that a page names: words of at least three parts in backticks, in the last column
/// of a table.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let words = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    words.filter(|word| word.matches('_').count() >= 2 && !word.contains('.')).collect()
}

/// Returns the text of all Rust files in a directory, at any depth.
fn rust_code(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&rust_code(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn every_test_that_an_invariant_names_exists() {
    let page = fs::read_to_string(file("docs/ARCHITECTURE.md")).unwrap();
    let page = page.split("## Invariants").nth(1).unwrap();
    let page = page.split("\n## ").next().unwrap();
    let names = named_tests(page);
    assert!(names.len() > 20, "{names:?}");
    let code = rust_code(&file("src")) + &rust_code(&file("tests"));
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

#[test]
fn every_fault_is_listed_in_reliability_with_its_tests() {
    let page = fs::read_to_string(file("docs/RELIABILITY.md")).unwrap();
    let names = named_tests(&page);
    assert!(names.len() > 30, "{names:?}");
    let code = rust_code(&file("tests"));
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "there is no test {name}");
    }
    // Each test of a fault starts a row of the report. L10 is a test of the store.
    let rows = code.split("FaultRow::start(\"").skip(1);
    let faults = rows.map(|row| row.split('"').next().unwrap());
    let faults: BTreeSet<&str> = faults.chain(["L10"]).collect();
    assert!(faults.len() > 15, "{faults:?}");
    for fault in faults {
        assert!(page.contains(&format!("\n| {fault} |")), "{fault} is missing");
    }
}

/// Returns a page without its fenced code blocks.
fn without_code_blocks(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Returns the targets of the relative links of a page: `[text](target)`, `src="target"`, `srcset="target"`.
/// Links in code do not count.
fn relative_links(page: &str) -> Vec<String> {
    let page = without_code_blocks(page);
    // By paragraphs, so that a missing backtick hides the links of one paragraph at most.
    let prose: String =
        page.split("\n\n").flat_map(|paragraph| paragraph.split('`').step_by(2)).collect();
    let mut links = Vec::new();
    for (start, end) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')] {
        let targets = prose.split(start).skip(1).map(|part| part.split(end).next().unwrap());
        links.extend(targets.filter(|target| !target.contains(':')).map(str::to_owned));
    }
    links
}

/// Returns the anchors of a page's headings, as GitHub makes them: in lowercase, with hyphens for
/// spaces and without punctuation. The anchor of the second heading `Same` is `same-1`.
fn anchors(page: &str) -> Vec<String> {
    let page = without_code_blocks(page);
    let mut anchors: Vec<String> = Vec::new();
    for heading in page.lines().filter(|line| line.starts_with('#')) {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let name: String = text.chars().filter(is_kept).collect();
        let mut anchor = name.clone();
        for number in 1.. {
            if !anchors.contains(&anchor) {
                break;
            }
            anchor = format!("{name}-{number}");
        }
        anchors.push(anchor);
    }
    anchors
}

/// Returns whether a link of a page leads to a file or to a heading that does not exist.
fn is_broken(page: &Page, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() {
        return !anchors(&page.text).iter().any(|known| known == anchor);
    }
    let target = file(&page.name).parent().unwrap().join(path);
    if anchor.is_empty() {
        return !target.exists();
    }
    let text = fs::read_to_string(target).unwrap_or_default();
    !anchors(&text).iter().any(|known| known == anchor)
}

fn broken_links(page: &Page) -> Vec<String> {
    let links = relative_links(&page.text).into_iter();
    let broken = links.filter(|link| is_broken(page, link));
    broken.map(|link| format!("{}: {link}", page.name)).collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let count: usize = pages.iter().map(|page| relative_links(&page.text).len()).sum();
    assert!(count > 50, "{count} links");
    let broken: Vec<String> = pages.iter().flat_map(broken_links).collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "# One `two`, three\n## Same\n## Same\n[a](#one-two-three) [b](#same-1) [c](API.md)\n\
                [d](#same-2) [e](NO.md)\n[f](../README.md#no) `[g](NO.md)` [h](https://a.example/b)\n\
                ```\n# Code\n[i](NO.md)\n```\n[j](#code) <img src=\"no.png\">";
    let page = Page { name: "docs/TEST.md".into(), text: text.into() };
    let expected = ["#same-2", "NO.md", "../README.md#no", "#code", "no.png"];
    assert_eq!(broken_links(&page), expected.map(|link| format!("docs/TEST.md: {link}")));
}

/// Folders whose files [`missing_paths`] looks for.
const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "migrations/", "benches/", "examples/"];

/// Returns the paths in backticks that start with one of [`FOLDERS`], without the arguments of a
/// command and without paths that have a placeholder: `NAME`, `*` or `...`.
fn named_paths(page: &str) -> Vec<String> {
    let page = without_code_blocks(page);
    let code = page.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    let paths = code.filter_map(|code| code.split_whitespace().next());
    let has_placeholder = |path: &str| ["NAME", "*", "..."].iter().any(|mark| path.contains(mark));
    paths
        .filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)))
        .filter(|path| !has_placeholder(path))
        .map(str::to_owned)
        .collect()
}

fn missing_paths(page: &str) -> Vec<String> {
    named_paths(page).into_iter().filter(|path| !file(path).exists()).collect()
}

#[test]
fn every_path_in_the_recipes_exists() {
    let page = fs::read_to_string(file("CONTRIBUTING.md")).unwrap();
    let count = named_paths(&page).len();
    assert!(count > 100, "{count} paths");
    assert_eq!(missing_paths(&page), [""; 0]);
}

#[test]
fn a_path_that_does_not_exist_is_found() {
    let page = "`src/lib.rs` src/no.rs `tests/run --test store` `src/cli/NAME.rs` `src/**`\n\n\
                `docs/no.md` `store/no.rs` `tests/no --test store` `src/job/`\n```\n`src/no.rs`\n```";
    assert_eq!(missing_paths(page), ["docs/no.md", "tests/no"]);
}
