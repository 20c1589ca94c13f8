//! On what it is measured.

use std::path::Path;

/// Prints the number of cores, the directory of the databases and its file system.
pub fn print_facts() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let directory = std::env::temp_dir();
    let directory = directory.canonicalize().unwrap_or(directory);
    let system = file_system(&directory).unwrap_or_else(|| "unknown".into());
    eprintln!("machine: {cores} cores; databases in {}, on {system}", directory.display());
}

/// The file system of a path: that of the deepest mount above it, the later one where two are at
/// one place.
fn file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(place, _)| path.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, system)| system.to_string())
}
