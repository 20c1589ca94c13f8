//! `longshore top` in a real terminal.

use serde_json::json;

use crate::kit::{Server, sleep, with};
use crate::terminal::Terminal;

/// Starts `longshore top` on a screen of this size, after a line of other output.
fn start(server: &Server, width: u16, height: u16) -> Option<Terminal> {
    let terminal = Terminal::open(width, height)?;
    terminal.type_line("echo output before top");
    terminal.wait_for("the output is shown", |screen| screen.contains("\noutput before top"));
    terminal.type_line(&format!("{} top --url {}", env!("CARGO_BIN_EXE_longshore"), server.url()));
    terminal.wait_for("top is drawn", |screen| screen.contains("? help"));
    assert_eq!(terminal.property("alternate_on"), "1");
    Some(terminal)
}

/// Waits until a line contains all these words.
fn wait_for_line(terminal: &Terminal, words: &[&str]) -> String {
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    let screen = terminal
        .wait_for(&format!("a line has {words:?}"), |screen| screen.lines().any(|l| has_all(&l)));
    screen.lines().find(has_all).unwrap().to_owned()
}

/// Quits `top` with a key, and checks that the terminal is restored.
fn quit(terminal: &Terminal, key: &str) {
    terminal.press(key);
    let screen = terminal.wait_for("the shell prompt is shown again", |screen| {
        screen.contains("\noutput before top") && screen.trim_end().ends_with("\n$")
    });
    assert_eq!(terminal.property("alternate_on"), "0", "{screen}");
    assert_eq!(terminal.property("cursor_flag"), "1", "the cursor is hidden");
    // The terminal echoes input again and is in line mode.
    terminal.type_line("echo $((6 * 7)) is typed");
    terminal.wait_for("the terminal echoes", |screen| {
        screen.contains("echo $((6 * 7)) is typed") && screen.contains("\n42 is typed")
    });
}

#[test]
fn top_shows_queues_lanes_and_jobs_and_restores_the_terminal() {
    let server = Server::start();
    server.patch("/v1/queues/mail", &json!({"max_running": 1})).expect(200);
    let first = server.submit(&with(sleep("1h"), &json!({"queue": "mail"})));
    server.submit(&with(sleep("1h"), &json!({"queue": "mail"})));
    server.wait_for_state(first, "running");
    let Some(terminal) = start(&server, 120, 40) else { return };
    wait_for_line(&terminal, &[&server.url()]);
    wait_for_line(&terminal, &["async", "1/"]);
    wait_for_line(&terminal, &["mail", " 1 "]);
    wait_for_line(&terminal, &[&format!(" {first} "), "sleep", "mail", "1/5"]);
    let slept = server.submit(&sleep("1h"));
    wait_for_line(&terminal, &[&format!(" {slept} "), "sleep", "default"]);
    terminal.press("?");
    terminal.wait_for("the help is shown", |screen| screen.contains("pause the queue"));
    terminal.press("x");
    terminal.wait_for("the help is closed", |screen| !screen.contains("pause the queue"));
    quit(&terminal, "q");
}

#[test]
fn top_shows_what_the_selected_queued_job_waits_for() {
    let server = Server::start();
    server.patch("/v1/queues/mail", &json!({"max_running": 1})).expect(200);
    let mail = with(sleep("1h"), &json!({"queue": "mail"}));
    let running = server.submit(&mail);
    server.wait_for_state(running, "running");
    let waiting = server.submit(&mail);
    let Some(terminal) = start(&server, 120, 40) else { return };
    wait_for_line(&terminal, &["Running (1)"]);
    terminal.press("w");
    wait_for_line(&terminal, &["Queued (1)"]);
    let reason = format!(
        "job {waiting}, waiting: queue mail runs as many jobs as its max_running allows: 1"
    );
    wait_for_line(&terminal, &[&reason]);
    server.patch("/v1/queues/mail", &json!({"paused": true})).expect(200);
    wait_for_line(&terminal, &[&format!("job {waiting}, waiting: queue mail is paused")]);
    terminal.press("w");
    wait_for_line(&terminal, &["Running (1)"]);
    quit(&terminal, "q");
}

#[test]
fn top_pauses_queues_cancels_after_confirmation_and_retries() {
    let server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let call =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    let failed = server.run(&call)["id"].as_i64().unwrap();
    let Some(terminal) = start(&server, 120, 40) else { return };
    wait_for_line(&terminal, &[&format!(" {running} "), "sleep"]);
    terminal.press("p");
    // The row, and not only the notice, which appears before the view has read the new state.
    wait_for_line(&terminal, &["> default", "paused"]);
    assert_eq!(server.queue("default")["paused"], true);
    terminal.press("p");
    terminal.wait_for("the queue is resumed", |_| server.queue("default")["paused"] == false);
    terminal.press("Tab");
    terminal.press("c");
    wait_for_line(&terminal, &[&format!("Cancel job {running}?")]);
    terminal.press("n");
    terminal.wait_for("the question is closed", |screen| !screen.contains("Cancel job"));
    assert_eq!(server.job(running)["cancel_requested"], false);
    terminal.press("c");
    wait_for_line(&terminal, &[&format!("Cancel job {running}?")]);
    terminal.press("y");
    terminal.wait_for("the job is cancelled", |_| server.job(running)["state"] == "cancelled");
    terminal.press("f");
    wait_for_line(&terminal, &[&format!(" {failed} "), "http"]);
    terminal.press("r");
    terminal.wait_for("the job runs again", |_| server.job(failed)["failures"][1].is_object());
    quit(&terminal, "Escape");
}

#[test]
fn top_waits_for_an_unreachable_server_and_fits_every_size() {
    let mut server = Server::start();
    let running = server.submit(&sleep("1h"));
    server.wait_for_state(running, "running");
    let Some(terminal) = start(&server, 120, 40) else { return };
    let job = format!(" {running} ");
    wait_for_line(&terminal, &[&job, "sleep"]);
    server.kill();
    terminal
        .wait_for("the loss of the server is shown", |screen| screen.contains("last update at"));
    server.restart_at_same_address();
    terminal.wait_for("top is live again", |screen| !screen.contains("last update at"));
    wait_for_line(&terminal, &[&job, "sleep", "2/5"]);
    for (width, height) in [(80, 24), (40, 10), (10, 3), (200, 60)] {
        terminal.resize(width, height);
        terminal.wait_for("the screen is redrawn", |screen| {
            let widest = screen.lines().map(|line| line.chars().count()).max().unwrap();
            widest <= usize::from(width) && (width < 80 || screen.contains("? help"))
        });
    }
    wait_for_line(&terminal, &[&job, "sleep"]);
    quit(&terminal, "C-c");
}
