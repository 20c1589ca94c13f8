//! Programs that abort, are deaf, leave children behind or never return (L5).

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{Server, Setup, echo, eventually};
use crate::row::Row;

/// How long what a program leaves may go on.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// How each misbehaves, and the code with which its attempt ends. It writes its process ids, and
/// those of its children, into the file that it is given.
const PROGRAMS: [(&str, &str, Option<&str>); 5] = [
    ("aborts", r#"echo $$ >> "$1"; kill -ABRT $$"#, Some("exit_status")),
    ("is_deaf", r#"trap "" TERM; echo $$ >> "$1"; while :; do sleep 1000; done"#, Some("timeout")),
    (
        "is_deaf_with_its_child",
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

/// Whether a process runs. One that ended and that nobody has asked after does not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// How long it takes until none of the processes is left whose ids stand in this file.
fn gone(path: &Path) -> Duration {
    let began = Instant::now();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().count() > 0, "no program began");
    eventually("no process is left", || (!text.lines().any(is_alive)).then_some(()));
    began.elapsed()
}

#[test]
fn what_a_program_does_fails_its_attempt_and_leaves_no_process() {
    let what = "programs that abort, are deaf, leave children, never return";
    let Some(mut row) = Row::begin("L5", what, (1, 50, "times 5 programs")) else { return };
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
        // Others flow on meanwhile.
        assert_eq!(server.run(&echo(round))["state"], "completed");
        for ((id, file), (name, _, code)) in jobs.iter().zip(PROGRAMS) {
            let job = server.finished(*id);
            let code = code.map_or(Value::Null, Value::from);
            assert_eq!(job["error"]["code"], code, "{name}: {job}");
            longest = longest.max(gone(file));
        }
    }
    assert!(longest < GONE_AFTER, "{longest:?}");
    row.time("the last process gone after", longest);
    row.held();
}
