//! The speed of the disk itself.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use tempfile::TempDir;

use crate::server;

const PAGE: [u8; 4_096] = [7; 4_096];

/// Appends pages one right after the other, and returns the seconds that each `fdatasync` took.
pub fn fdatasync_secs(samples: usize) -> Vec<f64> {
    let directory = server::directory();
    let mut file = File::create(directory.path().join("sync")).expect("a file");
    (0..samples).map(|number| write_and_sync(&mut file, number)).collect()
}

/// Writes one page and returns the seconds that its `fdatasync` took.
fn write_and_sync(file: &mut File, page: usize) -> f64 {
    file.seek(SeekFrom::Start((page * PAGE.len()) as u64)).expect("the seek succeeds");
    file.write_all(&PAGE).expect("the page is written");
    let started = Instant::now();
    file.sync_data().expect("the file is synced");
    started.elapsed().as_secs_f64()
}

/// A file that has its full size from the start, like the write-ahead log of a database in use.
pub struct SyncLog {
    file: File,
    next: usize,
    _directory: TempDir,
}

impl SyncLog {
    /// Creates a file of `pages` pages.
    pub fn with_pages(pages: usize) -> Self {
        let directory = server::directory();
        let mut file = File::create(directory.path().join("sync")).expect("a file");
        for _ in 0..pages {
            file.write_all(&PAGE).expect("the page is written");
        }
        file.sync_all().expect("the file is synced");
        Self { file, next: 0, _directory: directory }
    }

    /// Writes the next page and returns the seconds that its `fdatasync` took.
    pub fn write_and_sync(&mut self) -> f64 {
        self.next += 1;
        write_and_sync(&mut self.file, self.next - 1)
    }
}
