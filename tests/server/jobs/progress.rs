//! The progress of jobs, as every reader of them sees it.

use serde_json::{Value, json};

use crate::cli::{run, stdout};
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, eventually, sleep};

/// Returns a remote job of the server and its lease.
fn running(server: &Server) -> Value {
    server.submit(&remote(1));
    lease(server, 1, &json!({}))[0].clone()
}

fn report(server: &Server, leased: &Value, percent: f64) {
    let progress = json!({"progress": {"percent": percent, "message": "page 5 of 6"}});
    lease_action(server, leased, "renew", &progress).expect(200);
}

#[test]
fn a_percentage_has_at_most_two_decimals() {
    let server = Server::start();
    let leased = running(&server);
    for (reported, shown) in [
        (25.035_170_233_333_332, json!(25.04)),
        (100.0 / 3.0, json!(33.33)),
        (0.000_001, json!(0.0)),
        (100.0, json!(100.0)),
    ] {
        report(&server, &leased, reported);
        assert_eq!(server.job(1)["progress"]["percent"], shown);
        assert_eq!(server.get("/v1/jobs").expect(200)["jobs"][0]["progress"]["percent"], shown);
    }
}

#[test]
fn a_completed_job_is_at_100_percent_for_every_reader() {
    let server = Server::start();
    let leased = running(&server);
    report(&server, &leased, 83.333_333);
    lease_action(&server, &leased, "complete", &json!({"result": null})).expect(200);
    let done = json!({"percent": 100.0, "message": "page 5 of 6"});
    assert_eq!(server.job(1)["progress"], done);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"][0]["progress"], done);
    assert_eq!(server.get("/v1/jobs/1?wait=1s").expect(200)["progress"], done);
    let last = server.events("/v1/jobs/1/events").expect_next();
    assert_eq!((last.event.as_str(), &last.data["progress"]), ("state", &done));
    let text = stdout(&run(&server, &["status", "1"]));
    assert!(text.contains("100 % page 5 of 6"), "{text}");
    let page = server.request("GET", "/jobs/1", &[("accept", "text/html")], b"");
    assert!(!String::from_utf8_lossy(&page.body).contains("83 %"));
}

#[test]
fn a_failed_and_a_cancelled_job_keep_the_progress_of_their_last_report() {
    let server = Server::start();
    let failed = running(&server);
    report(&server, &failed, 83.333_333);
    let error = json!({"error": {"code": "x"}, "retryable": false});
    lease_action(&server, &failed, "fail", &error).expect(200);
    assert_eq!(server.job(1)["progress"]["percent"], 83.33);
    let cancelled = running(&server);
    report(&server, &cancelled, 12.5);
    server.post_empty("/v1/jobs/2/cancel").expect(200);
    lease_action(&server, &cancelled, "release", &json!({})).expect(200);
    let job = server.wait_for_state(2, "cancelled");
    assert_eq!(job["progress"]["percent"], 12.5);
}

#[test]
fn a_longer_sleep_completes_at_100_percent() {
    let server = Server::start();
    let id = server.submit(&sleep("1200ms"));
    let percent = eventually("the sleep reports its progress", || {
        server.job(id)["progress"]["percent"].as_f64()
    });
    assert_eq!((percent * 100.0).fract(), 0.0, "{percent}");
    let job = server.wait_until_final(id);
    assert_eq!(job["progress"], json!({"percent": 100.0, "message": "1s of 1s 200ms"}));
}
