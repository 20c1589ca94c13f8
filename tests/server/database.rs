//! The files of the database as an operator handles them: locks, other names, other programs' files,
//! files that vanish, and permissions.

mod location;
mod locks;
mod origin;
mod permissions;
mod vanished;

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::kit::Setup;

/// Returns the path of a file beside a database: its log, the index of the log, or its lock.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", database.display()))
}

/// Checks that a server does not start, and returns what it printed.
#[track_caller]
fn assert_refused(setup: &Setup, code: i32) -> String {
    let Output { status, stdout, stderr } = setup.fail();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(stdout.is_empty(), "it must not have listened");
    stderr
}
