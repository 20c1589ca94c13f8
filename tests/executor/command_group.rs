//! `command` jobs with real programs: how the programs and their children end.

use std::path::Path;
use std::time::Duration;

use longshore::executor::StopReason;
use longshore::job::outcome::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::command::{command, registry_with_command, script};
use crate::harness::*;

/// Waits until the script has written this many process ids into its file.
async fn pids(path: &Path, count: usize) -> Vec<i32> {
    let written = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if text.ends_with('\n') && lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(written).await
}

/// Returns whether a process is running. A zombie is not.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Waits until none of these processes is running, and fails the test after 5 s.
async fn wait_until_gone(pids: &[i32]) {
    let all_gone = async {
        while pids.iter().any(|&pid| is_alive(pid)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all_gone)
        .await
        .expect("a process is still running");
}

/// Returns the path of a file for process ids, in a temporary directory.
fn pid_file() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pids");
    (directory, path)
}

/// Script of a leader and a child that both ignore SIGTERM and write their process ids to `$1`.
const IGNORES_SIGTERM: &str = r#"
    trap "" TERM
    sleep 1000 &
    echo $! >> "$1"
    echo $$ >> "$1"
    while :; do sleep 1000; done"#;

#[actix_web::test]
async fn a_cancelled_program_is_killed_with_children_that_ignore_sigterm() {
    let (_directory, path) = pid_file();
    let registry = registry_with_command(script(IGNORES_SIGTERM));
    let payload = json!({"name": "run", "args": [path]});
    let (attempt, control) = start(&registry, "command", payload);
    let pids = pids(&path, 2).await;
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    control.stop(StopReason::Cancelled);
    assert!(matches!(soon(attempt).await.unwrap(), Outcome::Cancelled(_)));
    wait_until_gone(&pids).await;
}

#[actix_web::test]
async fn a_program_past_its_deadline_is_killed_with_its_children() {
    let (_directory, path) = pid_file();
    let registry = registry_with_command(script(IGNORES_SIGTERM));
    let payload = json!({"name": "run", "args": [path]});
    let timeout = Duration::from_millis(500);
    let error = retryable(run_within(&registry, "command", payload, timeout).await);
    assert_eq!(error.code, "timeout");
    wait_until_gone(&pids(&path, 2).await).await;
}

#[actix_web::test]
async fn a_program_may_clean_up_after_sigterm() {
    let (_directory, path) = pid_file();
    let cleaning_up =
        r#"trap 'echo 1 >> "$1"; exit 0' TERM; echo $$ >> "$1"; while :; do sleep 0.01; done"#;
    let registry = registry_with_command(script(cleaning_up));
    let (attempt, control) = start(&registry, "command", json!({"name": "run", "args": [path]}));
    pids(&path, 1).await;
    control.stop(StopReason::Shutdown);
    assert_eq!(soon(attempt).await.unwrap(), Outcome::Released);
    assert_eq!(pids(&path, 2).await[1], 1);
}

#[actix_web::test]
async fn processes_that_a_program_leaves_are_killed_and_delay_nothing() {
    let (_directory, path) = pid_file();
    let leaving = r#"sleep 1000 & echo $! >> "$1"; echo done"#;
    let registry = registry_with_command(script(leaving));
    let payload = json!({"name": "run", "args": [path]});
    assert_eq!(completed(run(&registry, "command", payload).await), "done\n");
    wait_until_gone(&pids(&path, 1).await).await;
}

#[actix_web::test]
async fn a_process_that_left_the_group_delays_nothing() {
    let (_directory, path) = pid_file();
    let escaping = r#"setsid sh -c 'echo $$ >> "$0"; exec sleep 1000' "$1" & sleep 0.2; echo done"#;
    let registry = registry_with_command(script(escaping));
    let payload = json!({"name": "run", "args": [path]});
    assert_eq!(completed(run(&registry, "command", payload).await), "done\n");
    let escaped = pids(&path, 1).await[0];
    assert!(is_alive(escaped));
    kill_process(Pid::from_raw(escaped).unwrap(), Signal::KILL).unwrap();
}

#[actix_web::test]
async fn a_program_that_closed_its_output_is_still_waited_for() {
    let registry = registry_with_command(script("exec >&- 2>&-; sleep 0.05; exit 4"));
    let error = retryable(run(&registry, "command", json!({"name": "run"})).await);
    assert_eq!(error.message, "the program exited with status 4");
}

#[actix_web::test]
async fn dropping_an_attempt_kills_its_whole_process_group() {
    let (_directory, path) = pid_file();
    let registry = registry_with_command(script(IGNORES_SIGTERM));
    let (attempt, _control) = start(&registry, "command", json!({"name": "run", "args": [path]}));
    let pids = pids(&path, 2).await;
    attempt.abort();
    wait_until_gone(&pids).await;
}

#[actix_web::test]
async fn a_program_that_does_not_read_its_stdin_can_be_stopped() {
    let registry = registry_with_command(command(&["sleep", "1000"]));
    let payload = json!({"name": "run", "stdin": "x".repeat(500_000)});
    let (attempt, control) = start(&registry, "command", payload);
    tokio::task::yield_now().await;
    control.stop(StopReason::Cancelled);
    assert!(matches!(soon(attempt).await.unwrap(), Outcome::Cancelled(_)));
}

#[actix_web::test]
async fn many_programs_run_on_several_threads_at_once() {
    let registry = std::sync::Arc::new(registry_with_command(script("cat; echo end")));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let registry = std::sync::Arc::clone(&registry);
            std::thread::spawn(move || {
                actix_rt::System::new().block_on(async {
                    let payload = json!({"name": "run", "stdin": "text "});
                    let attempts = (0..8).map(|_| run(&registry, "command", payload.clone()));
                    for outcome in futures_util::future::join_all(attempts).await {
                        assert_eq!(completed(outcome), "text end\n");
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
