//! Files of `src/` that import each other in circles. A reader has to understand all files of a
//! circle at once, so a circle is small.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::source::{FoundPath, Source, Token, paths, sources, tokens};

const MAX_FILES_IN_A_CIRCLE: usize = 3;

/// Path of a module from the root of the crate: `["job", "time"]` for `src/job/time.rs`.
type Module = Vec<String>;

/// What one file imports.
struct File {
    path: String,
    module: Module,
    /// Paths that the file uses itself, without its unit tests.
    uses: Vec<FoundPath>,
    /// Paths that the file only passes on to others (`pub use`), by their last segment.
    reexports: BTreeMap<String, FoundPath>,
}

impl File {
    fn read(source: &Source) -> Self {
        let (own, reexports) = split(&tokens(&source.text));
        let mut uses = paths(&own);
        let mut passed_on = BTreeMap::new();
        for path in reexports {
            let Some(name) = path.segments.last().cloned() else { continue };
            // A name that the file passes on and also uses is an import.
            if own.iter().any(|token| token.text == name) {
                uses.push(path.clone());
            }
            passed_on.insert(name, path);
        }
        Self { path: source.path.clone(), module: module(&source.path), uses, reexports: passed_on }
    }

    /// Returns the segments of a path in this file from the root of the crate, or `None` if it leads
    /// to a library.
    fn absolute(&self, path: &FoundPath, files: &Files) -> Option<Vec<String>> {
        let segments = &path.segments;
        let ups = segments.iter().take_while(|segment| *segment == "super").count();
        let (base, rest) = match segments[0].as_str() {
            "crate" => (&[][..], &segments[1..]),
            "self" => (&self.module[..], &segments[1..]),
            "super" => {
                let levels = self.module.len().checked_sub(ups.saturating_sub(path.inner_mods))?;
                (&self.module[..levels], &segments[ups..])
            }
            first => {
                let child = [&self.module[..], &[first.to_owned()]].concat();
                files.0.contains_key(&child).then_some((&self.module[..], &segments[..]))?
            }
        };
        Some([base, rest].concat())
    }
}

/// Files by their modules.
struct Files(BTreeMap<Module, File>);

impl Files {
    fn read(sources: &[Source]) -> Self {
        let files = sources.iter().map(File::read);
        Self(files.map(|file| (file.module.clone(), file)).collect())
    }

    /// Returns the file that defines what a path of `file` leads to.
    fn target(&self, file: &File, path: &FoundPath) -> Option<&File> {
        let mut segments = file.absolute(path, self)?;
        loop {
            let length = (0..=segments.len()).rev();
            let mut found = length.filter_map(|length| self.0.get(&segments[..length]));
            let target = found.next()?;
            let (name, rest) = match &segments[target.module.len()..] {
                [name, rest @ ..] => (name, rest),
                [] => return Some(target),
            };
            let Some(passed_on) = target.reexports.get(name) else { return Some(target) };
            let Some(further) = target.absolute(passed_on, self) else { return Some(target) };
            let further = [&further[..], rest].concat();
            if further == segments {
                return Some(target);
            }
            segments = further;
        }
    }

    /// Returns the paths of the files that each file imports.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |file: &'_ File| {
            let targets = file.uses.iter().filter_map(|path| self.target(file, path));
            targets.map(|target| target.path.as_str()).filter(|path| *path != file.path).collect()
        };
        self.0.values().map(|file| (file.path.as_str(), of(file))).collect()
    }
}

fn module(path: &str) -> Module {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let segments = path.split('/').filter(|segment| *segment != "lib");
    segments.map(str::to_owned).collect()
}

/// Splits the tokens of a file into those of its own code and the paths that it only passes on.
/// Unit tests are in neither.
fn split(tokens: &[Token]) -> (Vec<Token>, Vec<FoundPath>) {
    let (mut own, mut reexports) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = &tokens[at..];
        if starts_with(rest, &["#", "[", "cfg", "(", "test", ")", "]", "mod"]) {
            at += item_length(rest);
        } else if starts_with(rest, &["pub", "(", "in"]) {
            // The path of a visibility is no import.
            own.push(token.clone());
            at += rest.iter().position(|token| token.text == ")").map_or(rest.len(), |end| end + 1);
        } else if token.text == "use" && is_public(&own) {
            let length = item_length(rest);
            reexports.extend(paths(&rest[..length]));
            at += length;
        } else {
            own.push(token.clone());
            at += 1;
        }
    }
    (own, reexports)
}

fn starts_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Returns whether the tokens end with `pub` or `pub(...)`.
fn is_public(tokens: &[Token]) -> bool {
    let opening = tokens.iter().rposition(|token| token.text == "(");
    match tokens.last().map(|token| token.text.as_str()) {
        Some("pub") => true,
        Some(")") => opening.is_some_and(|at| at > 0 && tokens[at - 1].text == "pub"),
        _ => false,
    }
}

/// Returns the number of tokens up to the `;` or the closing brace that ends an item.
fn item_length(tokens: &[Token]) -> usize {
    let mut depth = 0;
    let ends = |token: &Token| match token.text.as_str() {
        "{" => {
            depth += 1;
            false
        }
        "}" => {
            depth -= 1;
            // The braces of a `use` are followed by its semicolon.
            depth == 0 && tokens[0].text != "use"
        }
        ";" => depth == 0,
        _ => false,
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}

/// Returns the files that can be reached from a file by one import or more.
fn reachable<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for next in imports.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

/// Returns the strongly connected components of the import graph that have more than one file: sets
/// of files of which each imports every other, directly or through others.
fn circles<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let reached: BTreeMap<_, _> =
        imports.keys().map(|file| (*file, reachable(imports, file))).collect();
    let circle = |(file, after): (&&'a str, &BTreeSet<&'a str>)| -> BTreeSet<&'a str> {
        let leads_back =
            |other: &&&str| reached.get(**other).is_some_and(|after| after.contains(file));
        after.iter().filter(leads_back).copied().collect()
    };
    let found: BTreeSet<_> = reached.iter().map(circle).filter(|circle| circle.len() > 1).collect();
    found.into_iter().collect()
}

/// Returns a fault for each circle that is too large, with the imports within it.
fn large_circles(sources: &[Source]) -> Vec<String> {
    let files = Files::read(sources);
    let imports = files.imports();
    let describe = |circle: BTreeSet<&str>| {
        let within = |file: &&str| {
            let others = imports[*file].intersection(&circle).copied().collect::<Vec<_>>();
            format!("\n    {file} imports {}", others.join(", "))
        };
        let lines: String = circle.iter().map(within).collect();
        format!("{} files import each other in a circle:{lines}", circle.len())
    };
    let large = circles(&imports).into_iter().filter(|circle| circle.len() > MAX_FILES_IN_A_CIRCLE);
    large.map(describe).collect()
}

mod samples {
    use super::*;

    /// Returns source files: pairs of a name below `src/` and a text.
    fn files(texts: &[(&str, &str)]) -> Vec<Source> {
        let source = |(name, text): &(&str, &str)| Source {
            path: format!("src/{name}"),
            text: (*text).into(),
        };
        texts.iter().map(source).collect()
    }

    fn found(texts: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files(texts);
        let files = Files::read(&sources);
        let names = |circle: BTreeSet<&str>| circle.iter().map(|name| name[4..].into()).collect();
        circles(&files.imports()).into_iter().map(names).collect()
    }

    #[test]
    fn a_circle_through_several_files_is_found() {
        let four = [
            ("a.rs", "mod x; use crate::b::B;"),
            ("b.rs", "fn f() { crate::c::f() }"),
            ("c.rs", "use crate::{a::x::D, e::E};"),
            ("a/x.rs", "use super::A;"),
            ("e.rs", "use std::fmt;"),
        ];
        assert_eq!(found(&four), [["a.rs", "a/x.rs", "b.rs", "c.rs"]]);
        assert_eq!(large_circles(&files(&four)).len(), 1);
        assert_eq!(found(&four[1..]), [[""; 0]; 0]);
    }

    #[test]
    fn a_circle_of_three_files_is_small_enough() {
        let three = [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;")];
        let three = [&three[..], &[("c.rs", "use crate::a::A;")]].concat();
        assert_eq!(found(&three).len(), 1);
        assert_none(&large_circles(&files(&three)));
    }

    #[test]
    fn two_circles_are_distinguished() {
        let pairs = [
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::a::A; use crate::c::C;"),
            ("c.rs", "use crate::d::D;"),
            ("d.rs", "use crate::c::C;"),
        ];
        assert_eq!(found(&pairs), [["a.rs", "b.rs"], ["c.rs", "d.rs"]]);
    }

    #[test]
    fn a_name_that_is_passed_on_leads_to_the_file_that_defines_it() {
        let table = "mod b; mod c; pub use b::B; pub(crate) use self::c::{C, D};";
        let texts = [("a.rs", table), ("a/b.rs", "use super::C;"), ("a/c.rs", "use crate::a::E;")];
        assert_eq!(found(&texts), [[""; 0]; 0]);
        let table = format!("{table} struct A(B);");
        let texts = [("a.rs", table.as_str()), texts[1], texts[2]];
        assert_eq!(found(&texts), [["a.rs", "a/b.rs", "a/c.rs"]]);
    }

    #[test]
    fn imports_of_unit_tests_do_not_count() {
        let texts = [
            ("a.rs", "#[cfg(test)] mod tests { use super::*; use crate::b::B; } fn f() {}"),
            ("b.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&texts), [[""; 0]; 0]);
    }
}

#[test]
fn no_files_import_each_other_in_a_large_circle() {
    assert_none(&large_circles(&sources(&["src"], "rs")));
}
