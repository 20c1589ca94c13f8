//! Programs and their server: its death, orphans, signals, descriptors.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::proc::{catches, children, is_alive, process};
use crate::kit::{Server, Setup, echo, eventually, skip};
use crate::lifecycle::raw::RawServer;

fn guard_of(server: &Server) -> Option<i32> {
    let found = children(server.pid().as_raw_nonzero().get()).into_iter();
    let mut found =
        found.filter(|(_, state, arguments)| state != "Z" && arguments.contains("guard-programs"));
    found.next().map(|(pid, ..)| pid)
}

/// Returns a setup with a command `script`, which runs `text` in the directory of the server.
fn with_script(text: &str) -> Setup {
    let setup = Setup::new();
    let directory = setup.directory().display().to_string();
    setup.config(format!(
        "[commands.script]\nargv = ['/bin/sh', '-c', '''{text}''']\ncwd = '{directory}'\n\
         env = {{ PATH = '/usr/bin:/bin' }}"
    ))
}

fn script() -> Value {
    json!({"kind": "command", "payload": {"name": "script"}})
}

/// Waits until the script has written this many process ids, and returns all that it wrote.
fn pids(server: &Server, count: usize) -> BTreeSet<i32> {
    eventually("the script writes its process ids", || {
        let text = fs::read_to_string(server.directory().join("pids")).unwrap_or_default();
        let pids: BTreeSet<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        (pids.len() >= count && text.ends_with('\n')).then_some(pids)
    })
}

fn wait_until_gone(pids: &BTreeSet<i32>) {
    eventually("the processes are gone", || (!pids.iter().any(|pid| is_alive(*pid))).then_some(()));
}

/// A leader and a child, which both ignore SIGTERM.
const STUBBORN: &str = "trap \"\" TERM; sleep 1000 & echo $! >> pids; echo $$ >> pids; wait";

#[test]
fn no_program_lives_on_beside_its_second_attempt_after_the_death_of_the_server() {
    let mut server = with_script(STUBBORN).start();
    let id = server.submit(&script());
    let first = pids(&server, 2);
    // Programs that ended before are not killed again.
    server.run(&json!({"kind": "command", "payload": {"name": "script"}, "timeout": "100ms", "max_attempts": 1}));
    server.kill();
    server.restart();
    assert_eq!(server.wait_for_state(id, "running")["attempt"], 2);
    wait_until_gone(&first);
    let all = eventually("the second attempt runs", || {
        let all = pids(&server, 6);
        all.iter().any(|pid| is_alive(*pid)).then_some(all)
    });
    server.terminate();
    server.post_empty(&format!("/v1/jobs/{id}/cancel"));
    server.wait_for_exit();
    wait_until_gone(&all);
}

#[test]
fn a_guard_that_was_killed_is_replaced_and_knows_the_programs_that_run() {
    let mut server = with_script(STUBBORN).start();
    assert_eq!(guard_of(&server), None, "a server without programs has no guard");
    server.submit(&script());
    pids(&server, 2);
    let guard = eventually("the guard handles signals", || {
        guard_of(&server).filter(|guard| catches(Pid::from_raw(*guard).unwrap(), Signal::TERM))
    });
    // A supervisor that sends SIGTERM to every process of the server does not end it.
    kill_process(Pid::from_raw(guard).unwrap(), Signal::TERM).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(guard_of(&server), Some(guard));
    kill_process(Pid::from_raw(guard).unwrap(), Signal::KILL).unwrap();
    eventually("the guard is gone", || (!is_alive(guard)).then_some(()));
    server.submit(&script());
    let all = pids(&server, 4);
    // The new guard has the groups of both programs as arguments.
    eventually("a new guard runs", || {
        let found = guard_of(&server).filter(|new| *new != guard)?;
        let (.., arguments) = process(found)?;
        (arguments.split(' ').filter(|word| word.parse::<i32>().is_ok()).count() == 2).then_some(())
    });
    server.kill();
    wait_until_gone(&all);
}

#[test]
fn the_guard_ends_with_its_server() {
    let mut server = with_script("exit 0").start();
    server.run(&script());
    let guard = BTreeSet::from([eventually("the guard runs", || guard_of(&server))]);
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    wait_until_gone(&guard);
}

#[test]
fn programs_inherit_no_descriptor_but_the_three() {
    let server = with_script("ls -1 /proc/self/fd | tr \"\\\\n\" \" \"").start();
    for _ in 0..2 {
        // `ls` opens the directory as number 3.
        assert_eq!(server.run(&script())["result"], "0 1 2 3 ");
    }
    let guard = eventually("the guard runs", || guard_of(&server));
    let open = fs::read_dir(format!("/proc/{guard}/fd")).unwrap().flatten();
    let targets: Vec<_> = open.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    let is_database = |path: &std::path::PathBuf| path.to_string_lossy().contains("longshore.db");
    assert!(!targets.is_empty() && !targets.iter().any(is_database), "{targets:?}");
}

#[test]
fn other_signals_are_ignored_with_a_line_in_the_log() {
    let mut server = Server::start();
    for (signal, name) in [
        (Signal::HUP, "SIGHUP"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::ALARM, "SIGALRM"),
    ] {
        kill_process(server.pid(), signal).unwrap();
        eventually("the signal is logged", || {
            let log = server.log();
            let mut lines = log.lines().filter(|line| line.contains("ignored a signal"));
            lines.find(|line| line.contains(name) && line.contains("INFO")).map(drop)
        });
    }
    assert_eq!(server.run(&echo(1))["state"], "completed");
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn as_process_1_the_server_reaps_orphans_and_no_program_of_an_attempt() {
    let check = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    if !check.is_ok_and(|check| check.status.success()) {
        return skip("cannot make a namespace of processes; this needs root and unshare(1)");
    }
    // The child leaves the group, so that the end of the attempt does not kill it.
    let setup =
        with_script("setsid sh -c \"sleep 0.2; exit 3\" > /dev/null 2>&1 < /dev/null & exit 0");
    let server = setup.command();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(server.get_program());
    command.args(server.get_args());
    let server = RawServer::start(&mut command);
    let unshare = server.child.id() as i32;
    let first = children(unshare)[0].0;
    let jobs = vec![script(); 10];
    let answers = std::thread::scope(|scope| {
        let run = || scope.spawn(|| jobs.iter().map(|job| server.run(job)).collect::<Vec<_>>());
        let running: Vec<_> = (0..2).map(|_| run()).collect();
        running.into_iter().flat_map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    for job in &answers {
        // An attempt whose exit status was taken would fail.
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    }
    eventually("no zombie is left", || {
        let zombies = children(first).into_iter().filter(|(_, state, _)| state == "Z").count();
        let sleeping = children(first).iter().any(|(.., arguments)| arguments.contains("sleep"));
        (zombies == 0 && !sleeping).then_some(())
    });
}
