//! Kinds that remote workers make known by asking for jobs of them.

use serde_json::{Value, json};

use crate::kit::leases::lease;
use crate::kit::process::longshore;
use crate::kit::{Response, Server, Setup, between, pointers};

fn submit(server: &Server, kind: &str) -> Response {
    server.post("/v1/jobs", &json!({"kind": kind, "payload": 1}))
}

/// Makes a kind known.
fn teach(server: &Server, kind: &str) {
    assert!(lease(server, 1, &json!({"kinds": [kind]})).is_empty());
}

/// Returns the entry of a kind in the list of kinds.
fn entry(server: &Server, kind: &str) -> Option<Value> {
    let kinds = server.get("/v1/kinds").expect(200)["kinds"].clone();
    kinds.as_array().unwrap().iter().find(|entry| entry["kind"] == kind).cloned()
}

#[test]
fn a_kind_that_a_worker_has_asked_for_needs_no_lane() {
    let server = Server::start();
    submit(&server, "resize").problem(422);
    teach(&server, "resize");
    let job = submit(&server, "resize").expect(202);
    assert_eq!((&job["lane"], &job["state"]), (&json!("remote"), &json!("queued")));
    assert_eq!(lease(&server, 5, &json!({"kinds": ["resize"]}))[0]["id"], job["id"]);
    let entry = entry(&server, "resize").unwrap();
    assert_eq!(entry["lane"], "remote");
    let at = server.job(1)["created_at"].clone();
    assert!(between(&at, &entry["last_asked_at"]).as_secs() < 60, "{entry}");
}

#[test]
fn a_worker_can_ask_for_kinds_without_making_them_known() {
    let server = Server::start();
    let call = json!({"kinds": ["resize"], "learn_kinds": false});
    assert!(lease(&server, 1, &call).is_empty());
    submit(&server, "resize").problem(422);
    assert_eq!(entry(&server, "resize"), None);
}

#[test]
fn a_kind_is_known_while_its_first_worker_waits() {
    let server = Server::start();
    let mut connection = server.connect();
    let waiting = std::thread::spawn(move || {
        connection.post("/v1/leases", &json!({"kinds": ["resize"], "wait": "60s"})).unwrap()
    });
    let job = crate::kit::eventually("the kind is known", || {
        Some(submit(&server, "resize")).filter(|answer| answer.status == 202)
    });
    let leased = waiting.join().unwrap().expect(200)["jobs"].clone();
    assert_eq!(leased[0]["id"], job.json()["id"]);
}

#[test]
fn a_learned_kind_survives_the_death_of_the_server() {
    let mut server = Server::start();
    teach(&server, "resize");
    let before = entry(&server, "resize").unwrap();
    server.kill();
    server.restart();
    assert_eq!(entry(&server, "resize").unwrap(), before);
    submit(&server, "resize").expect(202);
}

#[test]
fn an_unknown_kind_is_refused_with_the_known_ones_and_what_to_do() {
    let server = Server::start();
    teach(&server, "resize");
    let refused = submit(&server, "resise");
    assert_eq!(pointers(&refused), ["/kind"]);
    let detail = refused.problem(422);
    assert!(detail.contains("resize, chat, command, echo, http, sleep"), "{detail}");
    assert!(detail.contains("start a worker that leases it"), "{detail}");
    assert!(detail.contains("set \"lane\": \"remote\""), "{detail}");
    let many: Vec<String> = (0..100).map(|number| format!("a-kind-{number:03}")).collect();
    lease(&server, 1, &json!({"kinds": many}));
    let detail = submit(&server, "resise").problem(422);
    assert!(
        detail.contains("known kinds: resize, a-kind-000, a-kind-001") && detail.contains(" more"),
        "{detail}"
    );
    assert!(!detail.contains("[...]"), "{detail}");
}

#[test]
fn batches_lists_and_follow_up_jobs_take_learned_kinds() {
    let server = Server::start();
    let job = json!({"kind": "resize", "payload": 1});
    let follow_up = json!({"kind": "echo", "then": {"kind": "resize"}});
    let posts = [
        ("/v1/batches", json!({"jobs": [job]}), "/jobs/0/kind"),
        ("/v1/jobs", json!([job, job]), "/0/kind"),
        ("/v1/jobs", follow_up, "/then/kind"),
    ];
    for (path, body, pointer) in &posts {
        assert_eq!(pointers(&server.post(path, body))[0], *pointer);
    }
    let command =
        || longshore(&["submit", "resize", "1", "--url", &server.url()]).output().unwrap();
    assert!(!command().status.success());
    teach(&server, "resize");
    for (path, body, _) in &posts {
        server.post(path, body).expect(202);
    }
    let output = command();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let form = "kind=resize&as=json&payload=1";
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    assert_eq!(server.request("POST", "/submit", &headers, form.as_bytes()).status, 303);
    let page = server.get("/submit?kind=resize");
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains("A remote worker last asked for it <time"), "{page}");
}

#[test]
fn a_learned_kind_runs_in_no_other_lane() {
    let server = Server::start();
    teach(&server, "resize");
    let refused = server.post("/v1/jobs", &json!({"kind": "resize", "lane": "thread"}));
    assert_eq!(pointers(&refused), ["/lane"]);
    let in_queue = json!({"kind": "resize", "queue": "A b"});
    assert_eq!(pointers(&server.post("/v1/jobs", &in_queue)), ["/queue"]);
}

#[test]
fn a_worker_that_asks_for_a_built_in_kind_changes_nothing() {
    let server = Setup::new().config("remote_kinds = ['shrink']").start();
    teach(&server, "echo");
    teach(&server, "callback");
    assert_eq!(entry(&server, "echo").unwrap(), json!({"kind": "echo", "lane": "async"}));
    assert_eq!(submit(&server, "echo").expect(202)["lane"], "async");
    assert_eq!(entry(&server, "callback"), None);
    submit(&server, "callback").problem(422);
    // A configured kind shows when a worker asked for it.
    assert_eq!(entry(&server, "shrink").unwrap(), json!({"kind": "shrink", "lane": "remote"}));
    teach(&server, "shrink");
    assert!(entry(&server, "shrink").unwrap()["last_asked_at"].is_string());
}

#[test]
fn a_request_without_kinds_and_a_refused_one_teach_nothing() {
    let server = Server::start();
    lease(&server, 1, &json!({}));
    server.post("/v1/leases", &json!({"kinds": ["resize"], "limit": 0})).problem(422);
    server.post("/v1/leases", &json!({"kinds": ["resize", "A"]})).problem(422);
    assert_eq!(entry(&server, "resize"), None);
}
