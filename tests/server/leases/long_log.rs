//! Log lines that are longer than a log: their end is kept and the gap is shown.

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::process::longshore;
use crate::kit::{Server, with};

/// Maximum size of a log, in bytes.
const MAX: usize = 64 << 10;

/// Returns a server with a leased job, and the lease.
fn leased() -> (Server, Value) {
    let server = Server::start();
    server.submit(&with(remote(0), &json!({"timeout": "1h"})));
    let leased = lease(&server, 1, &json!({})).remove(0);
    (server, leased)
}

fn read_log(server: &Server, after: usize) -> (usize, usize, String) {
    let log = server.get(&format!("/v1/jobs/1/log?after={after}")).expect(200);
    let position = |name: &str| usize::try_from(log[name].as_u64().unwrap()).unwrap();
    (position("from"), position("to"), log["text"].as_str().unwrap().to_owned())
}

#[test]
fn the_end_of_a_long_line_of_a_remote_worker_is_kept() {
    for text in [
        "y".repeat(MAX - 1),
        "y".repeat(MAX),
        "y".repeat(MAX + 1),
        "é".repeat(MAX),
        format!("{}\n", "y".repeat(MAX)),
        format!("first\n{}\nlast", "😀".repeat(MAX)),
        "line\n".repeat(MAX),
    ] {
        let (server, leased) = leased();
        lease_action(&server, &leased, "renew", &json!({ "log": text })).expect(200);
        let whole = format!("{}\n", text.trim_end_matches('\n'));
        let (from, to, kept) = read_log(&server, 0);
        assert_eq!((to, from + kept.len()), (whole.len(), whole.len()));
        assert!(kept == whole[from..], "the end of the text");
        assert!(kept.len() <= MAX && kept.len() + 8 > whole.len().min(MAX), "{} bytes", kept.len());
        // A reader continues behind the gap.
        let (from, _, rest) = read_log(&server, to - 3);
        assert_eq!((from, rest.as_str()), (to - 3, &whole[to - 3..]));
    }
}

#[test]
fn a_long_line_after_others_removes_only_what_is_older_than_64_kib() {
    let (server, leased) = leased();
    let renew =
        |log: String| lease_action(&server, &leased, "renew", &json!({ "log": log })).expect(200);
    renew("first".into());
    renew("y".repeat(MAX));
    renew("last".into());
    let (from, to, text) = read_log(&server, 0);
    assert_eq!((from, to), (to - MAX, 6 + MAX + 1 + 5));
    assert!(text.starts_with("yyy") && text.ends_with("y\nlast\n"));
}

#[test]
fn the_gap_in_a_log_is_shown_wherever_it_is_read() {
    let (server, leased) = leased();
    lease_action(&server, &leased, "renew", &json!({"log": "y".repeat(100_000)})).expect(200);
    lease_action(&server, &leased, "complete", &json!({})).expect(200);
    let gap = 100_001 - MAX;
    let page = String::from_utf8(server.get("/jobs/1").body).unwrap();
    assert!(page.contains(&format!("[{gap} bytes omitted]\nyyyy")), "the page of the job");
    let printed = longshore(&["logs", "1", "--url", &server.url()]).output().unwrap();
    assert!(printed.stdout == read_log(&server, 0).2.as_bytes(), "the printed log");
    let note = String::from_utf8(printed.stderr).unwrap();
    assert!(note.starts_with(&format!("[{gap} bytes omitted]")), "{note}");
    let mut events = server.events("/v1/jobs/1/events");
    let log = std::iter::from_fn(|| events.next()).find(|event| event.event == "log").unwrap();
    assert_eq!((&log.data["from"], &log.data["to"]), (&json!(gap), &json!(100_001)));
}
