//! What the disk itself takes.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::mpsc;
use std::time::Instant;

use tempfile::TempDir;
use tokio::sync::oneshot;

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

/// A thread that writes and syncs one page whenever it is asked, as the server's own does with the
/// log. The file has its full size from the beginning, as the log of a database in use has.
pub struct Syncs {
    ask: mpsc::Sender<oneshot::Sender<f64>>,
    _directory: TempDir,
}

impl Syncs {
    /// For so many times.
    pub fn start(most: usize) -> Self {
        let directory = server::directory();
        let mut file = File::create(directory.path().join("sync")).expect("a file");
        for _ in 0..most {
            file.write_all(&PAGE).expect("it is written");
        }
        file.sync_all().expect("it is synced");
        let (ask, asked) = mpsc::channel::<oneshot::Sender<f64>>();
        std::thread::spawn(move || {
            for (page, tell) in asked.iter().take(most).enumerate() {
                tell.send(write_and_sync(&mut file, page)).expect("who asked waits");
            }
        });
        Self { ask, _directory: directory }
    }

    /// Seconds of the next.
    pub async fn next(&self) -> f64 {
        let (tell, told) = oneshot::channel();
        self.ask.send(tell).expect("the thread runs");
        told.await.expect("the thread answers")
    }
}
