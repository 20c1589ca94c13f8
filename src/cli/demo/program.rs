//! How to call this program from another terminal.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const NAME: &str = "longshore";

/// The name of this program where a shell finds it by that, else its path.
pub(super) fn name() -> String {
    let path = env::current_exe().unwrap_or_else(|_unknown| NAME.into());
    name_of(&path, env::var_os("PATH").as_deref())
}

fn name_of(program: &Path, places: Option<&OsStr>) -> String {
    let whole = |path: &Path| path.canonicalize().ok();
    let mut found = places.into_iter().flat_map(env::split_paths).map(|place| place.join(NAME));
    let first: Option<PathBuf> = found.find(|path| path.is_file());
    match first {
        Some(first) if whole(&first) == whole(program) => NAME.into(),
        _ => quoted(&program.display().to_string()),
    }
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    if word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_no_shell_finds_is_told_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let (here, other) = (directory.path().join("here"), directory.path().join("it's other"));
        for place in [&here, &other] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join(NAME), "").unwrap();
        }
        let program = here.join(NAME);
        let path = program.display().to_string();
        assert_eq!(name_of(&program, Some(here.as_os_str())), NAME);
        assert_eq!(name_of(&program, None), path);
        // Another program of that name is found first.
        let places = env::join_paths([&other, &here]).unwrap();
        assert_eq!(name_of(&program, Some(&places)), path);
        assert!(name_of(&other.join(NAME), None).ends_with(r"/it'\''s other/longshore'"));
    }
}
