//! A wall clock that can be changed, by libfaketime in the process of the server.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::kit::{Server, Setup};

/// Maximum difference between the `Date` header of an answer and the time that was set.
///
/// The server refreshes the header twice a second.
const MAX_DIFFERENCE: Duration = Duration::from_secs(30);

/// Wall clock of a server.
pub(super) struct WallClock {
    library: PathBuf,
    directory: TempDir,
    offset_secs: Cell<i64>,
}

impl WallClock {
    /// Returns a clock with the correct time, or `None` if libfaketime is not installed.
    pub(super) fn find() -> Option<Self> {
        let directories = std::fs::read_dir("/usr/lib").unwrap().flatten();
        let libraries = directories.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let library = libraries.into_iter().find(|path| path.exists())?;
        let directory = tempfile::tempdir().unwrap();
        let clock = Self { library, directory, offset_secs: Cell::new(0) };
        clock.set(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// Adds the variables to a setup that make its server use this clock.
    ///
    /// Only the time of day is changed. The monotonic clock stays as it is, because no one can set it
    /// on a real machine either.
    pub(super) fn fake(&self, setup: Setup) -> Setup {
        setup
            .env("LD_PRELOAD", self.library.to_str().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", self.file().to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
    }

    /// Sets the clock to the correct time plus an offset in seconds.
    pub(super) fn set(&self, offset_secs: i64) {
        // A rename is atomic, and the server may read the file at any time.
        let next = self.directory.path().join("next");
        std::fs::write(&next, format!("{offset_secs:+}\n")).unwrap();
        std::fs::rename(next, self.file()).unwrap();
        self.offset_secs.set(offset_secs);
    }

    /// Returns whether the `Date` header of the server shows the time that was set.
    pub(super) fn is_seen(&self, server: &Server) -> bool {
        let answer = server.get("/healthz");
        let shown = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
        let span = Duration::from_secs(self.offset_secs.get().unsigned_abs());
        #[allow(clippy::disallowed_methods, reason = "the test compares with the real time of day")]
        let now = SystemTime::now();
        let set = if self.offset_secs.get() < 0 { now - span } else { now + span };
        let difference = set.duration_since(shown).or_else(|_| shown.duration_since(set));
        difference.unwrap() < MAX_DIFFERENCE
    }
}
