//! Processes as Linux shows them in `/proc`.

use std::fs;

use rustix::process::{Pid, Signal};

/// State, parent and command line of a process; `None` if it does not exist.
pub(crate) fn process(pid: i32) -> Option<(String, i32, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let (state, parent) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some((state, parent, arguments.replace('\0', " ")))
}

/// Returns whether a process exists and is not a zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    process(pid).is_some_and(|(state, ..)| !matches!(state.as_str(), "Z" | "X"))
}

/// Children of a process, each with its state and command line.
pub(crate) fn children(parent: i32) -> Vec<(i32, String, String)> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| process(pid).map(|found| (pid, found)))
        .filter(|(_, (_, of, _))| *of == parent)
        .map(|(pid, (state, _, arguments))| (pid, state, arguments))
        .collect()
}

/// Returns the processor time that a process has used, in clock ticks, of which there are 100 a second.
pub(crate) fn cpu_ticks(pid: Pid) -> u64 {
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let stat = fs::read_to_string(path).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    // The fields 14 and 15; the first one after the name is number 3.
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Returns whether a process has a handler for a signal.
pub(crate) fn catches(pid: Pid, signal: Signal) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = fs::read_to_string(path).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    caught.is_some_and(|set| set >> (signal.as_raw() - 1) & 1 == 1)
}
