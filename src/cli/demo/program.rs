//! The command with which a shell in another terminal can run this program.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::pages::demo::shell_quoted;

/// Name of the program.
const NAME: &str = "longshore";

/// Returns the name of this program if `PATH` leads to it, otherwise its quoted path.
pub(super) fn name() -> String {
    let path = env::current_exe().unwrap_or_else(|_unknown| NAME.into());
    name_with_search_path(&path, env::var_os("PATH").as_deref())
}

/// Returns [`name`] for the program at this path and this value of `PATH`.
fn name_with_search_path(program: &Path, search_path: Option<&OsStr>) -> String {
    let canonical = |path: &Path| path.canonicalize().ok();
    let directories = search_path.into_iter().flat_map(env::split_paths);
    let mut candidates = directories.map(|directory| directory.join(NAME));
    let first: Option<PathBuf> = candidates.find(|path| path.is_file());
    match first {
        Some(first) if canonical(&first) == canonical(program) => NAME.into(),
        _ => quoted(&program.display().to_string()),
    }
}

/// Quotes a word so that a shell reads it as one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(is_plain) { word.into() } else { shell_quoted(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_found_by_name_is_called_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let (here, other) = (directory.path().join("here"), directory.path().join("it's other"));
        for folder in [&here, &other] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(NAME), "").unwrap();
        }
        let program = here.join(NAME);
        let path = program.display().to_string();
        assert_eq!(name_with_search_path(&program, Some(here.as_os_str())), NAME);
        assert_eq!(name_with_search_path(&program, None), path);
        // A shell finds another program of that name first.
        let search_path = env::join_paths([&other, &here]).unwrap();
        assert_eq!(name_with_search_path(&program, Some(&search_path)), path);
        assert!(
            name_with_search_path(&other.join(NAME), None).ends_with(r"/it'\''s other/longshore'")
        );
    }
}
