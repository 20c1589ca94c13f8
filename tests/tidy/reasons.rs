//! Every dependency is used, and docs/ARCHITECTURE.md gives a reason for it.

use std::collections::HashSet;
use std::fs;

use crate::assert_none;
use crate::source::{Source, paths, root, sources, tokens};

const PAGE: &str = "docs/ARCHITECTURE.md";

/// Dependency that no code names: its features build the SQLite that Diesel uses.
const NOT_NAMED: &str = "libsqlite3-sys";

/// Returns the names of all dependencies in Cargo.toml.
pub(crate) fn dependencies() -> Vec<String> {
    names(&fs::read_to_string(root().join("Cargo.toml")).unwrap())
}

fn names(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = tables.into_iter().filter_map(|name| manifest.get(name)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Returns a fault for each dependency without a reason, and for each reason without a dependency.
fn unexplained(dependencies: &[String], page: &str) -> Vec<String> {
    let section = page.split("\n## ").find(|section| section.starts_with("Dependencies"));
    let explained: Vec<&str> = section.unwrap_or_default().lines().filter_map(explained).collect();
    let mut faults = Vec::new();
    for name in dependencies.iter().filter(|name| !explained.contains(&name.as_str())) {
        faults.push(format!("{name} has no reason in {PAGE}"));
    }
    for name in explained.iter().filter(|name| !dependencies.iter().any(|known| known == *name)) {
        faults.push(format!("{name} has a reason in {PAGE} but is not a dependency"));
    }
    faults
}

/// Returns the dependency that a table row explains: ``| `name` | reason |``.
fn explained(line: &str) -> Option<&str> {
    let (name, reason) = line.strip_prefix("| `")?.split_once("` |")?;
    (reason.trim().len() > 20).then_some(name)
}

/// Returns the dependencies that are not the first segment of any path.
fn unused(dependencies: &[String], sources: &[Source]) -> Vec<String> {
    let used: HashSet<String> = sources
        .iter()
        .flat_map(|source| paths(&tokens(&source.text)))
        .map(|path| path.segments[0].clone())
        .collect();
    let is_unused = |name: &&String| !used.contains(&name.replace('-', "_"));
    dependencies.iter().filter(is_unused).cloned().collect()
}

#[test]
fn every_dependency_is_used() {
    let named: Vec<String> = dependencies().into_iter().filter(|name| name != NOT_NAMED).collect();
    assert_none(&unused(&named, &sources(&["src", "tests", "benches"], "rs")));
}

#[test]
fn an_unused_dependency_is_found() {
    let text = "use a_b::c; // d::e".into();
    let source = Source { path: "src/a.rs".into(), text };
    assert_eq!(unused(&["a-b".into(), "d".into()], &[source]), ["d"]);
}

#[test]
fn every_dependency_has_a_reason() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    assert_none(&unexplained(&dependencies(), &page));
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let page = "# A\n\n## Dependencies\n\n| `a` | because it does what nothing else does |\n\
                | `b` | why not |\n| `c` | because it does what nothing else does |\n\n## Next\n";
    let faults = unexplained(&["a".into(), "b".into(), "d".into()], page);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(names("[dependencies]\na = '1'\n[dev-dependencies.b]\nversion = '2'"), ["a", "b"]);
}
