//! What the disk itself takes.

use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use crate::server;

/// Seconds that one `fdatasync` takes after a page was appended, sample by sample: what the log
/// of the database asks of the disk.
pub fn fdatasync_secs(samples: usize) -> Vec<f64> {
    let directory = server::directory();
    let mut file = std::fs::File::create(directory.path().join("sync")).expect("a file");
    let page = [7_u8; 4_096];
    let mut secs = Vec::with_capacity(samples);
    for number in 0..samples {
        file.seek(SeekFrom::Start(number as u64 * 4_096)).expect("it seeks");
        file.write_all(&page).expect("it is written");
        let began = Instant::now();
        file.sync_data().expect("it is synced");
        secs.push(began.elapsed().as_secs_f64());
    }
    secs
}
