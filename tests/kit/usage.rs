//! What the process of a server uses: memory and descriptors.

use crate::kit::Server;

/// Returns the memory that a server uses, in bytes.
pub(crate) fn memory(server: &Server) -> u64 {
    status(server, "VmRSS:")
}

/// Returns the most memory that a server has used since its start, in bytes.
pub(crate) fn peak_memory(server: &Server) -> u64 {
    status(server, "VmHWM:")
}

/// Returns the number of open descriptors of a server.
pub(crate) fn open_descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count()
}

/// Returns a size from `/proc/PID/status`, in bytes.
fn status(server: &Server, name: &str) -> u64 {
    let path = format!("/proc/{}/status", server.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
