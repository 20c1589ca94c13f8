//! A wall clock that can be set: libfaketime between a server and the time of day.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::kit::{Server, Setup};

/// How far the time of an answer may be from the one that was set: the server writes it down twice
/// a second.
const CLOSE: Duration = Duration::from_secs(30);

/// The wall clock of a server.
pub(super) struct Wall {
    library: PathBuf,
    directory: TempDir,
    offset_secs: Cell<i64>,
}

impl Wall {
    /// A clock that is right until it is set; none where the library is missing.
    pub(super) fn find() -> Option<Self> {
        let directories = std::fs::read_dir("/usr/lib").unwrap().flatten();
        let libraries = directories.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let library = libraries.into_iter().find(|path| path.exists())?;
        let directory = tempfile::tempdir().unwrap();
        let wall = Self { library, directory, offset_secs: Cell::new(0) };
        wall.set(0);
        Some(wall)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// A server by this clock. Only the time of day is another: a clock that counts the time that
    /// passes cannot be set.
    pub(super) fn fake(&self, setup: Setup) -> Setup {
        setup
            .env("LD_PRELOAD", self.library.to_str().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", self.file().to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
    }

    /// Sets it, to so many seconds after the right time.
    pub(super) fn set(&self, offset_secs: i64) {
        // In one step, for the server may read it at any time.
        let next = self.directory.path().join("next");
        std::fs::write(&next, format!("{offset_secs:+}\n")).unwrap();
        std::fs::rename(next, self.file()).unwrap();
        self.offset_secs.set(offset_secs);
    }

    /// Whether the server's answers bear the time that was set.
    pub(super) fn is_seen(&self, server: &Server) -> bool {
        let answer = server.get("/healthz");
        let shown = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
        let span = Duration::from_secs(self.offset_secs.get().unsigned_abs());
        #[allow(clippy::disallowed_methods, reason = "this is the clock that is meant")]
        let now = SystemTime::now();
        let set = if self.offset_secs.get() < 0 { now - span } else { now + span };
        let apart = set.duration_since(shown).or_else(|_| shown.duration_since(set));
        apart.unwrap() < CLOSE
    }
}
