//! Programs that abort, ignore SIGTERM, leave children behind or never return (L5).

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup, echo, eventually};

/// Maximum time until every process of an ended attempt is gone.
const MAX_TIME_TO_EXIT: Duration = Duration::from_secs(5);

/// Name, script and expected error code of each program; `None` if its attempt completes.
///
/// Each program writes its process id and those of its children to the file that is its argument.
const PROGRAMS: [(&str, &str, Option<&str>); 5] = [
    ("aborts", r#"echo $$ >> "$1"; kill -ABRT $$"#, Some("exit_status")),
    (
        "ignores_sigterm",
        r#"trap "" TERM; echo $$ >> "$1"; while :; do sleep 1000; done"#,
        Some("timeout"),
    ),
    (
        "ignores_sigterm_with_its_child",
        r#"trap "" TERM; sleep 1000 & echo $! >> "$1"; echo $$ >> "$1"; while :; do sleep 1000; done"#,
        Some("timeout"),
    ),
    ("leaves_a_grandchild", r#"(sleep 1000 & echo $! >> "$1"); echo $$ >> "$1""#, None),
    ("never_returns", r#"echo $$ >> "$1"; exec sleep 1000"#, Some("timeout")),
];

fn start() -> Server {
    let mut config = String::from("lanes.process = 5\n");
    for (name, script, _) in PROGRAMS {
        config.push_str(&format!(
            "[commands.{name}]\nargv = ['/bin/sh', '-c', '''{script}''', 'sh']\nenv = {{ PATH = '/usr/bin:/bin' }}\n"
        ));
    }
    Setup::new().config(config).start()
}

/// Returns whether a process runs. A zombie does not count.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Waits until no process runs whose id is in this file, and returns how long that took.
fn wait_until_gone(path: &Path) -> Duration {
    let started = Instant::now();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().count() > 0, "the program did not start");
    eventually("no process is left", || (!text.lines().any(is_alive)).then_some(()));
    started.elapsed()
}

#[test]
fn misbehaving_programs_affect_only_their_attempts_and_leave_no_process() {
    let what = "programs that abort, ignore SIGTERM, leave children behind, never return";
    let Some(mut row) = FaultRow::start("L5", what, (1, 50, "times 5 programs")) else { return };
    let server = start();
    let mut longest = Duration::ZERO;
    for round in 0..row.times {
        let submit = |(name, _, _): &(&str, &str, Option<&str>)| {
            let file = server.directory().join(format!("{name}-{round}"));
            let payload = json!({"name": name, "args": [file]});
            let job = json!({"kind": "command", "payload": payload, "timeout": "500ms", "max_attempts": 1});
            (server.submit(&job), file)
        };
        let jobs: Vec<_> = PROGRAMS.iter().map(submit).collect();
        // Other jobs complete in the meantime.
        assert_eq!(server.run(&echo(round))["state"], "completed");
        for ((id, file), (name, _, code)) in jobs.iter().zip(PROGRAMS) {
            let job = server.wait_until_final(*id);
            let code = code.map_or(Value::Null, Value::from);
            assert_eq!(job["error"]["code"], code, "{name}: {job}");
            longest = longest.max(wait_until_gone(file));
        }
    }
    assert!(longest < MAX_TIME_TO_EXIT, "{longest:?}");
    row.time("the last process gone after", longest);
    row.held();
}
