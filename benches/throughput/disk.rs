//! What the disk itself takes.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use tempfile::TempDir;

use crate::server;

const PAGE: [u8; 4_096] = [7; 4_096];

/// Seconds that one `fdatasync` takes after a page was appended, sample by sample, one right after
/// the other.
pub fn fdatasync_secs(samples: usize) -> Vec<f64> {
    let directory = server::directory();
    let mut file = File::create(directory.path().join("sync")).expect("a file");
    (0..samples).map(|number| write_and_sync(&mut file, number)).collect()
}

/// Writes one page and gives the seconds that it took to sync it.
fn write_and_sync(file: &mut File, page: usize) -> f64 {
    file.seek(SeekFrom::Start((page * PAGE.len()) as u64)).expect("it seeks");
    file.write_all(&PAGE).expect("it is written");
    let began = Instant::now();
    file.sync_data().expect("it is synced");
    began.elapsed().as_secs_f64()
}

/// A file of its full size from the beginning, as the log of a database in use is.
pub struct Log {
    file: File,
    next: usize,
    _directory: TempDir,
}

impl Log {
    /// Of so many pages.
    pub fn of(pages: usize) -> Self {
        let directory = server::directory();
        let mut file = File::create(directory.path().join("sync")).expect("a file");
        for _ in 0..pages {
            file.write_all(&PAGE).expect("it is written");
        }
        file.sync_all().expect("it is synced");
        Self { file, next: 0, _directory: directory }
    }

    /// Writes the next page and gives the seconds that it took to sync it.
    pub fn write_and_sync(&mut self) -> f64 {
        self.next += 1;
        write_and_sync(&mut self.file, self.next - 1)
    }
}
