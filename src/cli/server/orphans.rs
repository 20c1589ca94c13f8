//! Reaps orphans if the server is the first process of a container.
//!
//! The system makes every process whose parent has died a child of process 1, which must wait for it, or
//! it stays a zombie. `waitpid(-1)` would also take the exit status of programs for which attempts wait,
//! so each orphan is found in `/proc` and reaped by its id.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::executor::Guard;

/// Time for which a child must be a zombie before it is reaped. Until then, the part of the server that
/// started it may be about to wait for it.
const ZOMBIE_AGE: Duration = Duration::from_secs(1);

/// A zombie: its process id, and the time of its start in ticks, because ids are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Zombie {
    pid: i32,
    started: u64,
}

/// Reaps orphans from now on if this is process 1.
pub(crate) fn reap() -> io::Result<()> {
    if std::process::id() == 1 {
        actix_web::rt::spawn(reap_after_each(signal(SignalKind::child())?));
    }
    Ok(())
}

/// Looks for zombies after each signal that a child has ended, until there are none.
async fn reap_after_each(mut child_ended: Signal) {
    while child_ended.recv().await.is_some() {
        let mut known = HashSet::new();
        loop {
            tokio::time::sleep(ZOMBIE_AGE).await;
            let found = actix_web::web::block(|| zombies(std::process::id()));
            let mut found = found.await.unwrap_or_default();
            found.retain(|zombie| !(known.contains(zombie) && is_reaped(*zombie)));
            if found.is_empty() {
                break;
            }
            known = found;
        }
    }
}

/// Reaps a zombie unless an attempt waits for it. Returns whether it is gone.
fn is_reaped(zombie: Zombie) -> bool {
    if Guard::is_program(zombie.pid) {
        return false;
    }
    let reaped = waitpid(Pid::from_raw(zombie.pid), WaitOptions::NOHANG);
    tracing::debug!(pid = zombie.pid, "reaped an orphan");
    !matches!(reaped, Ok(None))
}

/// Returns the zombies among the children of a process.
fn zombies(parent: u32) -> HashSet<Zombie> {
    let Ok(processes) = fs::read_dir("/proc") else { return HashSet::new() };
    let zombie = |process: fs::DirEntry| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat = fs::read(process.path().join("stat")).ok()?;
        parse(pid, parent, &String::from_utf8_lossy(&stat))
    };
    processes.map_while(Result::ok).filter_map(zombie).collect()
}

/// Returns the process of a line of `/proc/PID/stat` (proc_pid_stat(5)) if it is a zombie and a child of
/// `parent`. The name of the program is in parentheses and may contain anything.
fn parse(pid: i32, parent: u32, stat: &str) -> Option<Zombie> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let is_zombie = *fields.first()? == "Z" && fields.get(1)?.parse() == Ok(parent);
    // Field 22 of the line; the first one after the name is field 3.
    is_zombie.then_some(Zombie { pid, started: fields.get(19)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zombies_of_a_parent_are_found_whatever_their_name_is() {
        let rest = "0 0 0 -1 4228108 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0";
        let parse_of = |text: &str| parse(9, 1, &format!("9 ({text} {rest}"));
        assert_eq!(parse_of("sh) Z 1"), Some(Zombie { pid: 9, started: 77 }));
        assert_eq!(parse_of("a) Z 1 (b) Z 1"), Some(Zombie { pid: 9, started: 77 }));
        assert_eq!(parse_of("sh) S 1"), None);
        assert_eq!(parse_of("sh) Z 2"), None);
        assert_eq!(parse(9, 1, "9 (sh) Z 1"), None);
    }
}
