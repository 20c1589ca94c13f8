//! The machine on which the benchmark runs.

use std::path::Path;

/// Prints the number of cores, and the directory of the databases with its file system.
pub fn print_facts() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let directory = std::env::temp_dir();
    let directory = directory.canonicalize().unwrap_or(directory);
    let system = file_system(&directory).unwrap_or_else(|| "unknown".into());
    eprintln!("machine: {cores} cores; databases in {}, on {system}", directory.display());
}

/// Returns the type of the file system that contains `path`: that of the longest mount point which is a
/// prefix of the path. Of several mounts at the same point, the latest counts.
fn file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, system)| system.to_string())
}
