//! Every dependency is used, and has its reason in docs/ARCHITECTURE.md.

use std::collections::HashSet;
use std::fs;

use crate::assert_none;
use crate::source::{Source, paths, root, sources, tokens};

const PAGE: &str = "docs/ARCHITECTURE.md";

/// Here for its features alone: it builds the SQLite that Diesel uses.
const NOT_NAMED: &str = "libsqlite3-sys";

/// The names in Cargo.toml.
pub(crate) fn dependencies() -> Vec<String> {
    names(&fs::read_to_string(root().join("Cargo.toml")).unwrap())
}

fn names(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = tables.into_iter().filter_map(|name| manifest.get(name)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// The dependencies without a line of their own, and the lines without a dependency.
fn unexplained(dependencies: &[String], page: &str) -> Vec<String> {
    let section = page.split("\n## ").find(|section| section.starts_with("Dependencies"));
    let explained: Vec<&str> = section.unwrap_or_default().lines().filter_map(explained).collect();
    let mut faults = Vec::new();
    for name in dependencies.iter().filter(|name| !explained.contains(&name.as_str())) {
        faults.push(format!("{name} has no reason in {PAGE}"));
    }
    for name in explained.iter().filter(|name| !dependencies.iter().any(|known| known == *name)) {
        faults.push(format!("{name} has a reason in {PAGE} and is no dependency"));
    }
    faults
}

/// The dependency that a line of a table explains: ``| `name` | why |``.
fn explained(line: &str) -> Option<&str> {
    let (name, reason) = line.strip_prefix("| `")?.split_once("` |")?;
    (reason.trim().len() > 20).then_some(name)
}

/// The dependencies that no path begins with.
fn unused(dependencies: &[String], sources: &[Source]) -> Vec<String> {
    let begins: HashSet<String> = sources
        .iter()
        .flat_map(|source| paths(&tokens(&source.text)))
        .map(|path| path.steps[0].clone())
        .collect();
    let is_unused = |name: &&String| !begins.contains(&name.replace('-', "_"));
    dependencies.iter().filter(is_unused).cloned().collect()
}

#[test]
fn every_dependency_is_used() {
    let named: Vec<String> = dependencies().into_iter().filter(|name| name != NOT_NAMED).collect();
    assert_none(&unused(&named, &sources(&["src", "tests", "benches"], "rs")));
}

#[test]
fn a_dependency_that_nothing_uses_is_seen() {
    let text = "use a_b::c; // d::e".into();
    let source = Source { path: "src/a.rs".into(), text };
    assert_eq!(unused(&["a-b".into(), "d".into()], &[source]), ["d"]);
}

#[test]
fn every_dependency_has_its_reason() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    assert_none(&unexplained(&dependencies(), &page));
}

#[test]
fn a_dependency_without_a_reason_is_seen() {
    let page = "# A\n\n## Dependencies\n\n| `a` | because it does what nothing else does |\n\
                | `b` | why not |\n| `c` | because it does what nothing else does |\n\n## Next\n";
    let faults = unexplained(&["a".into(), "b".into(), "d".into()], page);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(names("[dependencies]\na = '1'\n[dev-dependencies.b]\nversion = '2'"), ["a", "b"]);
}
