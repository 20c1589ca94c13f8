//! Commands that read event streams, against a server whose events are scripted by the test.

use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::kit::http::{OpenReply, Request, Target};
use crate::kit::process::longshore;
use crate::{stderr, stdout};

/// Returns the JSON of a job as lists contain it.
fn job(id: i64, state: &str, fields: &Value) -> Value {
    let mut job = json!({
        "id": id, "kind": "chat", "queue": "mail", "lane": "async", "state": state, "priority": 0,
        "attempt": 1, "max_attempts": 5, "created_at": "2030-01-31T12:00:00.000Z",
        "run_at": "2030-01-31T12:00:00.000Z", "started_at": "2030-01-31T12:00:01.000Z",
        "finished_at": null, "timeout": "5m", "at_most_once": false, "cancel_requested": false,
        "error": null, "progress": null, "tags": [], "batch": null,
    });
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

/// Returns the JSON of a batch of four jobs.
fn batch(completed: i64, failed: i64, has_ended: bool) -> Value {
    json!({
        "id": 3, "name": null, "total": 4,
        "counts": {"scheduled": 0, "queued": 4 - completed - failed, "running": 0, "retrying": 0,
            "completed": completed, "failed": failed, "cancelled": 0},
        "created_at": "2030-01-31T12:00:00.000Z",
        "finished_at": has_ended.then_some("2030-01-31T12:00:02.500Z"),
    })
}

/// Formats a server-sent event.
fn event(id: u64, name: &str, data: &Value) -> String {
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
}

/// Answers a request with 200 and a JSON body.
fn answer(caller: &mut OpenReply, value: &Value) {
    caller.answer("200 OK", "content-type: application/json\r\n", &value.to_string());
}

/// Answers a request with an error status and problem details.
fn refuse(caller: &mut OpenReply, status: &str) {
    let number: u16 = status[..3].parse().unwrap();
    let problem = json!({"type": "about:blank", "title": status, "status": number});
    let head = "content-type: application/problem+json\r\n";
    caller.answer(status, head, &problem.to_string());
}

/// Starts a server whose event streams are scripted for each connection.
///
/// `stream` gets the number of the connection, from 0, and the `Last-Event-ID`. `serve` handles all
/// other requests.
fn server(
    stream: impl Fn(&mut OpenReply, usize, Option<&str>) + Send + Sync + 'static,
    serve: impl Fn(&mut OpenReply, &Request) + Send + Sync + 'static,
) -> Target {
    let connections = AtomicUsize::new(0);
    Target::start(move |caller, request| {
        if !request.path.contains("/events") {
            return serve(caller, &request);
        }
        assert_eq!(request.header("accept"), Some("text/event-stream"));
        let number = connections.fetch_add(1, Ordering::SeqCst);
        stream(caller, number, request.header("last-event-id"));
    })
}

/// Runs a command against the server.
fn run(target: &Target, args: &[&str]) -> Output {
    longshore(args).env("LONGSHORE_URL", target.url("")).output().unwrap()
}

/// Runs a command in a terminal, whose screen output is returned as stdout. Returns `None` if the
/// program `script`, which provides the terminal, is not installed.
fn run_in_terminal(target: &Target, args: &str) -> Option<Output> {
    if Command::new("script").arg("--version").output().is_err() {
        crate::kit::skip("the program `script` is not installed");
        return None;
    }
    let line = format!("stty cols 100 rows 30; {} {args}", env!("CARGO_BIN_EXE_longshore"));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
    Some(command.env("LONGSHORE_URL", target.url("")).output().unwrap())
}

#[test]
fn tail_resumes_after_the_last_event_when_the_connection_breaks() {
    let target = server(
        |caller, number, last_id| match number {
            0 => {
                assert_eq!(last_id, None);
                caller.start_events();
                caller.send_chunk(&event(7, "job", &job(17, "running", &json!({}))));
                // The connection ends in the middle of an event.
                caller.send_chunk("id: 8\nevent: job\nda");
                caller.disconnect();
            }
            1 => {
                assert_eq!(last_id, Some("7"));
                refuse(caller, "503 Service Unavailable");
            }
            2 => {
                assert_eq!(last_id, Some("7"));
                caller.start_events();
                caller.send_chunk(&event(8, "lost", &json!({"events": 2})));
                let error = json!({"error": {"code": "timeout", "message": "too slow"}});
                caller.send_chunk(&event(9, "job", &job(17, "failed", &error)));
                caller.send_chunk(": a comment\n\n");
                caller.send_chunk(&event(10, "gone", &json!({"id": 16})));
                caller.send_chunk("");
            }
            _ => {
                assert_eq!(last_id, Some("10"));
                caller.answer("204 No Content", "", "");
            }
        },
        |_, _| panic!("tail sends no other request"),
    );
    let output = run(&target, &["tail"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (line, part) in
        lines.iter().zip(["running", "2 events were lost", "timeout: too slow", "deleted"])
    {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    assert!(stderr(&output).contains("trying again"), "{output:?}");
}

#[test]
fn tail_filters_by_queue_and_kind_and_prints_json() {
    let requested = Mutex::new(String::new());
    let target = Target::start(move |caller, request| {
        let mut requested = requested.lock().unwrap();
        if requested.is_empty() {
            assert_eq!(request.path, "/v1/events?queue=mail&kind=chat");
            caller.start_events();
            caller.send_chunk(&event(1, "job", &job(17, "queued", &json!({}))));
            caller.send_chunk("");
            *requested = request.path;
        } else {
            caller.answer("204 No Content", "", "");
        }
    });
    let output = run(&target, &["tail", "--queue", "mail", "--kind", "chat", "--json"]);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&printed["id"], &printed["state"]), (&json!(17), &json!("queued")));
}

#[test]
fn a_server_without_events_is_reported() {
    let target = server(|caller, _, _| refuse(caller, "404 Not Found"), |_, _| {});
    assert_eq!(run(&target, &["tail"]).status.code(), Some(4));
    let target = server(|caller, _, _| answer(caller, &json!({})), |_, _| {});
    let output = run(&target, &["tail"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_log_is_followed_without_a_gap_or_a_repeat_until_the_job_ends() {
    let log = "one\ntwo\nthree\nfour\nfive\n";
    let part = |from: usize, to: usize| json!({"from": from, "to": to, "text": log[from..to]});
    let log_reads = AtomicUsize::new(0);
    let target = server(
        move |caller, _, _| {
            caller.start_events();
            caller.send_chunk(&event(1, "state", &job(17, "running", &json!({}))));
            caller.send_chunk(&event(2, "log", &part(0, 8)));
            caller.send_chunk(&event(3, "log", &part(4, 14)));
            // Bytes 14 to 19 are missing from the stream, so the command reads the log itself.
            caller.send_chunk(&event(4, "log", &part(19, 24)));
            caller.send_chunk(&event(5, "state", &job(17, "completed", &json!({}))));
            caller.send_chunk("");
        },
        move |caller, request| {
            let after = request.path.strip_prefix("/v1/jobs/17/log?after=").unwrap();
            let after: usize = after.parse().unwrap();
            // The first two reads return the start of the log, later reads return all of it.
            let to = match log_reads.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => 8,
                _ => 24,
            };
            answer(caller, &part(after, to));
        },
    );
    let output = run(&target, &["logs", "17", "--follow"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stdout(&output), log);
}

#[test]
fn a_log_whose_start_is_no_longer_stored_is_reported() {
    let target = Target::start(|caller, _| {
        answer(caller, &json!({"from": 100, "to": 104, "text": "end\n"}));
    });
    let output = run(&target, &["logs", "17"]);
    assert_eq!(stdout(&output), "end\n");
    assert!(stderr(&output).contains("100 bytes"), "{output:?}");
    let output = run(&target, &["logs", "17", "--json"]);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["from"], 100);
}

#[test]
fn a_wait_in_a_terminal_shows_the_progress_and_then_only_the_result() {
    let done = json!({"result": {"pages": 12}, "payload": null, "failures": []});
    let target = server(
        |caller, number, last_id| {
            caller.start_events();
            if number == 0 {
                caller.send_chunk(&event(1, "state", &job(17, "queued", &json!({}))));
                caller.send_chunk(&event(2, "state", &job(17, "running", &json!({"attempt": 2}))));
                caller.disconnect();
                return;
            }
            assert_eq!(last_id, Some("2"));
            caller.send_chunk(&event(3, "state", &job(17, "running", &json!({"attempt": 2}))));
            caller.send_chunk(&event(
                4,
                "progress",
                &json!({"percent": 42.0, "message": "page 5"}),
            ));
            // The line needs some time to be drawn.
            std::thread::sleep(std::time::Duration::from_millis(700));
            caller.send_chunk(&event(5, "state", &job(17, "completed", &json!({}))));
            caller.send_chunk("");
        },
        move |caller, _| answer(caller, &job(17, "completed", &done)),
    );
    let Some(output) = run_in_terminal(&target, "wait 17") else { return };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = stdout(&output);
    for part in ["running, attempt 2 of 5", "42 %", "page 5"] {
        assert!(text.contains(part), "{part} is missing in {text:?}");
    }
    // The line has been erased, and only the result follows.
    let remainder = text.rsplit("\x1b[2K").next().unwrap();
    assert_eq!(remainder.trim(), r#"{"pages":12}"#, "{text:?}");
    // Without a terminal only the result is printed.
    let output = run(&target, &["wait", "17"]);
    assert_eq!((stdout(&output).trim(), stderr(&output).as_str()), (r#"{"pages":12}"#, ""));
}

#[test]
fn a_wait_in_a_terminal_works_without_events() {
    let target = server(
        |caller, _, _| refuse(caller, "404 Not Found"),
        |caller, _| {
            answer(caller, &job(17, "failed", &json!({"error": {"code": "x", "message": "y"}})))
        },
    );
    let Some(output) = run_in_terminal(&target, "wait 17") else { return };
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(stdout(&output).contains("job 17 failed: x: y"), "{output:?}");
}

#[test]
fn a_batch_in_a_terminal_shows_a_bar_and_then_the_counts() {
    let target = server(
        |caller, _, _| {
            caller.start_events();
            caller.send_chunk(&event(1, "batch", &batch(1, 0, false)));
            caller.send_chunk(&event(2, "batch", &batch(1, 1, false)));
            std::thread::sleep(std::time::Duration::from_millis(700));
            caller.send_chunk(&event(3, "batch", &batch(3, 1, true)));
            caller.send_chunk("");
        },
        |caller, request| match request.method.as_str() {
            "POST" => {
                assert_eq!(request.header("idempotency-key"), Some("k"));
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                assert_eq!((&body["name"], &body["jobs"][1]["payload"]), (&json!("n"), &json!(2)));
                answer(caller, &batch(0, 0, false));
            }
            _ => answer(caller, &batch(3, 1, true)),
        },
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/jobs.ndjson");
    let line = format!("batch {file} --name n --idempotency-key k");
    let Some(output) = run_in_terminal(&target, &line) else { return };
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let text = stdout(&output);
    for part in
        ["2/4", "1 failed", "ETA", "batch 3: 3 of 4 completed, 1 failed, 0 cancelled, took 2.50s"]
    {
        assert!(text.contains(part), "{part} is missing in {text:?}");
    }
}

/// Returns a handler that simulates an outage: after the first answer it closes the connection of
/// two requests, and then it answers with `after`.
fn serve_with_outage(
    before: Value,
    after: Value,
) -> impl Fn(&mut OpenReply, &Request) + Send + Sync {
    let requests = AtomicUsize::new(0);
    move |caller, request| {
        if request.method == "POST" {
            return answer(caller, &before);
        }
        match requests.fetch_add(1, Ordering::SeqCst) {
            0 => answer(caller, &before),
            1 | 2 => caller.disconnect(),
            _ => answer(caller, &after),
        }
    }
}

#[test]
fn waiting_for_a_job_survives_an_outage_of_the_server() {
    let done = json!({"result": 12, "payload": null, "failures": []});
    let (before, after) = (job(17, "running", &json!({})), job(17, "completed", &done));
    let serve = serve_with_outage(before, after);
    let target = server(|caller, _, _| refuse(caller, "404 Not Found"), serve);
    let output = run(&target, &["wait", "17"]);
    assert_eq!((output.status.code(), stdout(&output).trim()), (Some(0), "12"), "{output:?}");
    assert_eq!(stderr(&output).matches("trying again").count(), 1, "{output:?}");
}

#[test]
fn waiting_for_a_batch_survives_an_outage_of_the_server() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/jobs.ndjson");
    let start = || {
        let serve = serve_with_outage(batch(0, 0, false), batch(4, 0, true));
        server(|caller, _, _| refuse(caller, "404 Not Found"), serve)
    };
    let output = run(&start(), &["batch", file]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stderr(&output).matches("trying again").count(), 1, "{output:?}");
    let Some(output) = run_in_terminal(&start(), &format!("batch {file}")) else { return };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stdout(&output).matches("trying again").count(), 1, "{output:?}");
}

#[test]
fn a_server_that_never_answered_is_not_waited_for() {
    let target = Target::start(|caller, _| caller.disconnect());
    let output = run(&target, &["wait", "17"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}
