//! `command` jobs with real programs: their input, environment and output.

use std::os::fd::AsRawFd;
use std::path::PathBuf;

use longshore::config::{CommandConfig, Config};
use longshore::executor::Registry;
use longshore::job::outcome::Outcome;
use longshore::job::{Progress, Span};
use serde_json::{Value, json};

use crate::harness::*;

/// Returns a command with this `argv` and default settings.
pub(crate) fn command(argv: &[&str]) -> CommandConfig {
    CommandConfig {
        argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
        cwd: None,
        env: Default::default(),
        env_from: Vec::new(),
        timeout: None,
    }
}

/// Returns a command that runs a script with /bin/sh. The job's arguments are `$1` and so on.
pub(crate) fn script(text: &str) -> CommandConfig {
    command(&["/bin/sh", "-c", text, "script"])
}

/// Returns a registry with one command, which is named `run`.
pub(crate) fn registry_with_command(command: CommandConfig) -> Registry {
    registry_with_limit(command, 1 << 20)
}

fn registry_with_limit(command: CommandConfig, max_result_bytes: usize) -> Registry {
    let mut config = Config::default();
    config.commands.insert("run".into(), command);
    config.limits.max_result_bytes = max_result_bytes;
    registry_of(&config)
}

async fn outcome_of(command: CommandConfig) -> Outcome {
    run(&registry_with_command(command), "command", json!({"name": "run"})).await
}

async fn result_of(command: CommandConfig) -> Value {
    completed(outcome_of(command).await)
}

#[actix_web::test]
async fn the_standard_output_of_a_program_is_its_result() {
    assert_eq!(result_of(script(r#"echo '{"a": [1.50]}'"#)).await, json!({"a": [1.50]}));
    assert_eq!(result_of(script("echo plain text")).await, "plain text\n");
    assert_eq!(result_of(script(r"printf '\377\000'")).await, json!({"base64": "/wA="}));
    assert_eq!(result_of(command(&["true"])).await, Value::Null);
}

#[actix_web::test]
async fn arguments_reach_the_program_unchanged() {
    let registry = registry_with_command(script(r#"printf '%s|' "$@""#));
    let payload = json!({"name": "run", "args": ["$HOME; echo", "", "a b", "'*'"]});
    assert_eq!(completed(run(&registry, "command", payload).await), "$HOME; echo||a b|'*'|");
}

#[actix_web::test]
async fn stdin_gets_a_string_as_it_is_and_other_json_as_its_text() {
    let registry = registry_with_command(command(&["cat"]));
    for (stdin, expected) in [
        (json!("a\n\"b\""), json!("a\n\"b\"")),
        (json!({"a": [1]}), json!({"a": [1]})),
        (Value::Null, Value::Null),
    ] {
        let payload = json!({"name": "run", "stdin": stdin});
        assert_eq!(completed(run(&registry, "command", payload).await), expected);
    }
    let long = "x".repeat(500_000);
    let payload = json!({"name": "run", "stdin": long});
    assert_eq!(completed(run(&registry, "command", payload).await), long);
}

#[actix_web::test]
async fn a_program_need_not_read_its_stdin() {
    let registry = registry_with_command(script("echo fine"));
    let payload = json!({"name": "run", "stdin": "x".repeat(500_000)});
    assert_eq!(completed(run(&registry, "command", payload).await), "fine\n");
}

#[actix_web::test]
async fn the_environment_contains_only_the_listed_variables() {
    assert_eq!(result_of(command(&["/usr/bin/env"])).await, Value::Null);
    let mut listed = command(&["/usr/bin/env"]);
    listed.env.insert("COLOUR".into(), "green".into());
    listed.env_from.push("PATH".into());
    let result = result_of(listed).await;
    let mut lines: Vec<&str> = result.as_str().unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["COLOUR=green", &format!("PATH={}", std::env::var("PATH").unwrap())]);
}

#[actix_web::test]
async fn a_program_runs_in_its_configured_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let pwd = CommandConfig { cwd: Some(path.clone()), ..command(&["/bin/pwd"]) };
    assert_eq!(result_of(pwd).await, format!("{}\n", path.display()));
}

#[actix_web::test]
async fn a_program_inherits_no_descriptor() {
    let file = tempfile::tempfile().unwrap();
    // Simulates a descriptor that this process inherited from a shell or a supervisor.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let result = result_of(script("ls /proc/$$/fd; true")).await;
    assert_eq!(result, "0\n1\n2\n", "this process has descriptor {} open", file.as_raw_fd());
}

#[actix_web::test]
async fn a_long_output_is_truncated_and_the_program_continues() {
    let marker = tempfile::tempdir().unwrap();
    let path = marker.path().join("done");
    let registry = registry_with_limit(script(r#"yes | head -c 3000000; echo x > "$1""#), 1_000);
    let payload = json!({"name": "run", "args": [path]});
    let result = job_result(run(&registry, "command", payload).await);
    assert!(result.truncated);
    assert!(result.json.as_str().len() <= 1_000 && result.json.as_str().starts_with(r#""y\ny\n"#));
    assert!(path.exists());
}

#[actix_web::test]
async fn a_nonzero_status_is_retried_and_the_message_ends_with_stderr() {
    let noisy = script("yes noise | head -c 300000 >&2; echo the cause >&2; exit 3");
    let error = retryable(outcome_of(noisy).await);
    assert_eq!(error.code, "exit_status");
    assert!(error.message.starts_with("the program exited with status 3: "), "{}", error.message);
    assert!(error.message.ends_with("noise\nthe cause"), "{}", error.message);
    let error = retryable(outcome_of(script("kill -9 $$")).await);
    assert_eq!(error.message, "the program was killed by signal 9");
}

#[actix_web::test]
async fn a_program_that_cannot_be_started_fails_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("data");
    std::fs::write(&file, "no program").unwrap();
    for program in ["/nowhere/at/all", file.to_str().unwrap(), "no-such-program"] {
        assert_eq!(fatal(outcome_of(command(&[program])).await).code, "spawn", "{program}");
    }
}

#[actix_web::test]
async fn environment_values_are_in_no_message() {
    let mut leaky = script("env >&2; exit 1");
    leaky.env.insert("API_KEY".into(), "s3cr3t-value".into());
    leaky.env_from.push("PATH".into());
    let error = retryable(outcome_of(leaky).await);
    assert!(error.message.contains("API_KEY=(secret)"), "{}", error.message);
    assert!(!error.message.contains("s3cr3t"), "{}", error.message);
    assert!(error.message.contains("PATH=(secret)"), "{}", error.message);
}

#[actix_web::test]
async fn payload_problems_are_reported_at_submission() {
    let registry = registry_with_command(command(&["true"]));
    let wrong = [
        (json!(null), vec![""]),
        (json!({}), vec![""]),
        (json!({"name": "run", "x": 1}), vec!["/x"]),
        (json!({"name": "other"}), vec!["/name"]),
        (json!({"name": "run", "args": "x"}), vec!["/args"]),
        (json!({"name": "run", "args": ["a", 1]}), vec!["/args/1"]),
        (json!({"name": "run", "args": ["a", "b\u{0}"]}), vec!["/args/1"]),
        (json!({"name": "run", "args": ["a"], "stdin": {"a": 1}}), vec![]),
    ];
    for (payload, expected) in wrong {
        assert_eq!(problem_pointers(&registry, "command", &payload), expected, "{payload}");
    }
    let other = json!({"name": "other"});
    let payload = longshore::job::Json::of(&other).unwrap();
    let problems = registry.check("command", &payload).unwrap_err();
    assert_eq!(problems[0].detail, "command \"other\" does not exist; configured commands: run");
    assert_eq!(fatal(run(&registry, "command", other).await).code, "bad_payload");
}

#[actix_web::test]
async fn the_timeout_of_a_command_shortens_that_of_the_job() {
    let timeout = Some(Span::from_millis(50));
    let long_sleep = CommandConfig { timeout, ..command(&["sleep", "1000"]) };
    let error = retryable(outcome_of(long_sleep).await);
    assert_eq!(error.code, "timeout");
    assert!(error.message.contains("50ms"), "{}", error.message);
}

/// Returns the latest progress and the log of a program that has ended.
async fn reports_of(command: CommandConfig) -> (Option<Progress>, String) {
    let registry = registry_with_command(command);
    let (attempt, control) = start(&registry, "command", json!({"name": "run"}));
    soon(attempt).await.unwrap();
    let (progress, log) = control.take_reports();
    let text = log.text.strip_prefix("--- attempt 2 ---\n").unwrap_or(&log.text);
    (progress, text.to_owned())
}

#[actix_web::test]
async fn standard_error_is_the_log_and_the_progress_of_a_program() {
    let text = r#"echo first >&2; echo "::progress 40% page 2" >&2; printf 'no end' >&2"#;
    let (progress, log) = reports_of(script(text)).await;
    assert_eq!(progress, Some(Progress::new(40.0, "page 2")));
    assert_eq!(log, "first\nno end\n");
    let (progress, log) =
        reports_of(script(r"printf '10%%\r20%%\r30%%\n\377\n' >&2; exit 3")).await;
    assert_eq!((progress, log.as_str()), (None, "30%\n\u{fffd}\n"));
}

#[actix_web::test]
async fn secrets_written_in_parts_are_hidden_in_the_log() {
    let mut command = script("printf 'key hunter22' >&2; sleep 0.1; printf 'hunter33 ok\n' >&2");
    command.env.insert("KEY".into(), "hunter22hunter33".into());
    let (_, log) = reports_of(command).await;
    assert_eq!(log, "key (secret) ok\n");
}

#[actix_web::test]
async fn the_last_words_of_a_line_without_an_end_are_kept() {
    let text = "i=0; while [ $i -lt 30000 ]; do printf 'word%d ' $i; i=$((i+1)); done >&2";
    let (_, log) = reports_of(script(text)).await;
    assert!(log.len() <= 65 << 10 && log.ends_with("word29999 \n"), "{} bytes", log.len());
    let written: usize = (0..30_000).map(|number| format!("word{number} ").len()).sum();
    assert_eq!(split_omission(&log).0, written - (split_omission(&log).1.len() - 1));
}

/// Splits a log into the number of bytes that its first line says were omitted, and the lines after.
fn split_omission(log: &str) -> (usize, &str) {
    let (omission, rest) = log.split_once('\n').unwrap();
    let bytes = omission.strip_prefix('[').and_then(|text| text.strip_suffix(" bytes omitted]"));
    (bytes.unwrap_or_else(|| panic!("{omission}")).parse().unwrap(), rest)
}

#[actix_web::test]
async fn the_end_of_a_line_without_any_space_is_kept_and_no_secret_shows_in_it() {
    // 200,000 bytes of which every part that may be cut contains the secret.
    let text = r#"i=0; while [ $i -lt 10000 ]; do printf 'yyyyyyyyé%sx' "$KEY"; i=$((i+1)); done >&2; printf 'z\nnext\n' >&2"#;
    let mut command = script(text);
    command.env.insert("KEY".into(), "hunter22hunter33".into());
    let (_, log) = reports_of(command).await;
    let (omitted, line) = split_omission(&log);
    assert!(omitted > 100_000 && line.len() > 32_000, "{omitted}, {}", line.len());
    assert!(line.ends_with("yyyyyyyyé(secret)xz\nnext\n"), "{}", &line[line.len() - 50..]);
    assert!(!line.contains("hunter") && !line.contains("er33") && !line.contains('\u{fffd}'));
}

#[actix_web::test]
async fn progress_beyond_its_range_is_clamped() {
    for (line, expected) in [("101 words", 100.0), ("-1 words", 0.0), ("100.0000001% words", 100.0)]
    {
        let (progress, log) = reports_of(script(&format!("echo '::progress {line}' >&2"))).await;
        assert_eq!(
            (progress, log.as_str()),
            (Some(Progress::new(expected, "words")), ""),
            "{line}"
        );
    }
}
