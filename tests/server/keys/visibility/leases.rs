//! Leases: of one's own queues, and finished with the key that took them.

use serde_json::{Value, json};

use super::{Key, Shared, bearer};
use crate::keys::create;
use crate::kit::leases::{lease, remote};
use crate::kit::{Server, with};

/// Leases jobs of any queue with a key.
fn lease_any(shared: &Shared, key: &Key, wanted: &Value) -> Vec<Value> {
    let answer = shared.post(key, "/v1/leases", &with(json!({"limit": 10, "wait": "0s"}), wanted));
    answer.expect(200)["jobs"].as_array().unwrap().clone()
}

/// Returns the statuses of all actions of a lease with a key, alone and in a list.
fn statuses_of_actions(shared: &Shared, key: &Key, leased: &Value) -> Vec<u64> {
    let body = json!({"lease_token": leased["lease_token"], "log": "a line"});
    let mut statuses = Vec::new();
    for action in ["renew", "complete", "fail", "release"] {
        let fields = match action {
            "complete" => json!({"result": "stolen"}),
            "fail" => json!({"error": {"code": "x", "message": "x"}}),
            _ => json!({}),
        };
        let body = with(body.clone(), &fields);
        let path = format!("/v1/leases/{}/{action}", leased["id"]);
        statuses.push(u64::from(shared.post(key, &path, &body).status));
        let entry = with(body, &json!({"id": leased["id"], "action": action}));
        let answers = shared.post(key, "/v1/leases/finish", &json!([entry])).expect(200);
        statuses.push(answers["answers"][0]["status"].as_u64().unwrap());
    }
    statuses
}

#[test]
fn a_worker_leases_only_jobs_of_its_own_queues() {
    let shared = Shared::start();
    let other = shared.submit(&shared.shop, 1);
    let own = shared.submit(&shared.blog, 1);
    let leased = lease_any(&shared, &shared.blog.key, &json!({}));
    assert_eq!(leased.iter().map(|job| &job["id"]).collect::<Vec<_>>(), [&json!(own)]);
    assert!(lease_any(&shared, &shared.blog.key, &json!({"kinds": ["resize"]})).is_empty());
    for queues in [json!(["shop.a"]), json!(["blog.a", "shop.a"]), json!(["default"])] {
        let wanted = json!({"queues": queues, "wait": "0s"});
        let refused = shared.post(&shared.blog.key, "/v1/leases", &wanted).problem(403);
        assert!(refused.contains("the key may not use queue"), "{refused}");
    }
    let state = shared.get(&shared.ops, &format!("/v1/jobs/{other}")).expect(200);
    assert_eq!((&state["state"], &state["attempt"]), (&json!("queued"), &json!(0)));
}

#[test]
fn a_waiting_worker_is_not_woken_by_a_job_of_another_application() {
    let shared = Shared::start();
    let mut waiting = shared.server.connect();
    let body = json!({"limit": 10, "wait": "30s"}).to_string();
    let head = format!(
        "POST /v1/leases HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        shared.server.addr(),
        bearer(&shared.blog.key),
        body.len()
    );
    waiting.send(head).unwrap();
    // A job that nobody else takes would be leased to the worker at once.
    let other = shared.submit(&shared.shop, 1);
    let path = format!("/v1/jobs/{other}?wait=0.5");
    assert_eq!(shared.get(&shared.ops, &path).expect(200)["state"], "queued");
    let own = shared.submit(&shared.blog, 1);
    let jobs = waiting.answer().unwrap().expect(200)["jobs"].clone();
    assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["id"]), (1, &json!(own)));
}

#[test]
fn a_lease_is_finished_only_with_the_key_that_took_it() {
    let shared = Shared::start();
    let id = shared.submit(&shared.shop, 1);
    let leased = lease_any(&shared, &shared.shop.key, &json!({"lease": "5m"})).remove(0);
    let path = format!("/v1/jobs/{id}");
    let before = shared.get(&shared.ops, &path).expect(200);
    let second = json!({"name": "second", "scopes": ["work"], "queues": ["shop.*"]});
    let second = create(&shared.server, &shared.ops, &second);
    // Neither another application, nor another key of the same one, nor the administrator.
    for key in [&shared.blog.key, &shared.blog.admin, &second, &shared.shop.admin, &shared.ops] {
        let statuses = statuses_of_actions(&shared, key, &leased);
        assert!(statuses.iter().all(|status| matches!(status, 404 | 409)), "{statuses:?}");
    }
    assert_eq!(shared.get(&shared.ops, &path).expect(200), before);
    let log = shared.get(&shared.ops, &format!("{path}/log")).expect(200);
    assert!(!log.to_string().contains("a line"), "{log}");
    let finish = json!({"lease_token": leased["lease_token"], "result": "own"});
    let finish_path = format!("/v1/leases/{id}/complete");
    shared.post(&shared.shop.key, &finish_path, &finish).expect(200);
    // To repeat it is the same for others as any lease that they do not hold.
    shared.post(&second, &finish_path, &finish).problem(409);
    assert_eq!(shared.get(&shared.ops, &path).expect(200)["result"], "own");
}

#[test]
fn another_application_cannot_tell_a_lease_from_none() {
    let shared = Shared::start();
    shared.submit(&shared.shop, 1);
    let leased = lease_any(&shared, &shared.shop.key, &json!({"lease": "5m"})).remove(0);
    let none = json!({"id": 987_654, "lease_token": 1});
    let of = |leased: &Value| statuses_of_actions(&shared, &shared.blog.key, leased);
    assert_eq!(of(&leased), of(&none));
    // Another token is no different.
    let guessed = with(leased.clone(), &json!({"lease_token": 99}));
    assert_eq!(of(&guessed), of(&none));
}

#[test]
fn a_lease_from_before_the_first_key_is_finished_with_any_key_of_its_queue() {
    let server = Server::start();
    let job = with(remote(1), &json!({"queue": "shop.a"}));
    let ids = [server.submit(&job), server.submit(&job)];
    let leased = lease(&server, 2, &json!({"lease": "5m"}));
    let shared = Shared::on(server);
    let refused = statuses_of_actions(&shared, &shared.blog.key, &leased[0]);
    assert!(refused.iter().all(|status| matches!(status, 404 | 409)), "{refused:?}");
    for (id, leased) in ids.iter().zip(&leased) {
        let body = json!({"lease_token": leased["lease_token"], "result": 1});
        let path = format!("/v1/leases/{}/complete", leased["id"]);
        shared.post(&shared.shop.key, &path, &body).expect(200);
        let job = shared.get(&shared.shop.key, &format!("/v1/jobs/{id}")).expect(200);
        assert_eq!(job["state"], "completed");
    }
}

#[test]
fn a_lease_ends_with_its_time_although_its_key_was_revoked() {
    let shared = Shared::start();
    let id = shared.submit(&shared.shop, 1);
    let key = json!({"name": "short", "scopes": ["work"], "queues": ["shop.*"]});
    let key = create(&shared.server, &shared.ops, &key);
    let leased = lease_any(&shared, &key, &json!({"lease": "2s"})).remove(0);
    let path = format!("/v1/keys/{}", key.id);
    crate::keys::call(&shared.server, &shared.ops, "DELETE", &path, None).expect(200);
    let body = json!({"lease_token": leased["lease_token"], "result": 1});
    shared.post(&key, &format!("/v1/leases/{id}/complete"), &body).problem(401);
    // Another worker gets the job.
    let wanted = json!({"limit": 1, "wait": "20s"});
    let again = shared.post(&shared.shop.key, "/v1/leases", &wanted).expect(200);
    assert_eq!(again["jobs"][0]["id"], id);
}

#[test]
fn a_lease_is_watched_only_with_the_key_that_took_it() {
    let shared = Shared::start();
    let ids = [shared.submit(&shared.shop, 1), shared.submit(&shared.shop, 2)];
    let leased = lease_any(&shared, &shared.shop.key, &json!({"lease": "5m"}));
    let second = json!({"name": "second", "scopes": ["work"], "queues": ["shop.*"]});
    let second = create(&shared.server, &shared.ops, &second);
    let path = format!("/v1/jobs/{}/cancel", ids[0]);
    shared.post(&shared.shop.key, &path, &json!({})).expect(200);
    let leases: Vec<Value> = leased
        .iter()
        .map(|lease| json!({"id": lease["id"], "lease_token": lease["lease_token"]}))
        .collect();
    let watch = |key: &Key| {
        let body = json!({"leases": leases, "wait": "60s"});
        shared.post(key, "/v1/leases/watch", &body).expect(200)["leases"].clone()
    };
    // For all others it is the same as a lease that does not exist.
    for key in [&shared.blog.key, &shared.blog.admin, &second, &shared.shop.admin, &shared.ops] {
        let stale = |lease: &Value| with(lease.clone(), &json!({"stale": true}));
        assert_eq!(watch(key), leases.iter().map(stale).collect::<Value>());
    }
    let cancelled = with(leases[0].clone(), &json!({"cancel": true}));
    assert_eq!(watch(&shared.shop.key), json!([cancelled]));
}

#[test]
fn a_kind_is_known_only_in_the_queues_of_the_key_that_asked_for_it() {
    let shared = Shared::start();
    lease_any(&shared, &shared.shop.key, &json!({"kinds": ["resize"]}));
    lease_any(&shared, &shared.ops, &json!({"kinds": ["print"]}));
    let submit = |key: &Key, kind: &str, queue: &str| {
        shared.post(key, "/v1/jobs", &json!({"kind": kind, "queue": queue}))
    };
    submit(&shared.shop.key, "resize", "shop.a").expect(202);
    submit(&shared.shop.admin, "resize", "shop.b").expect(202);
    submit(&shared.ops, "resize", "shop.c").expect(202);
    // Nobody runs it there, and the other application must not learn of it.
    let refused = submit(&shared.ops, "resize", "blog.a").problem(422);
    let why =
        "is not known in queue \"blog.a\"; no worker with access to that queue has asked for it";
    assert!(refused.contains(why), "{refused}");
    let (_, known) = refused.split_once("known kinds: ").unwrap();
    assert!(known.contains("print") && !known.contains("resize"), "{refused}");
    let refused = submit(&shared.blog.key, "resize", "blog.a").problem(422);
    assert!(refused.contains("print") && !refused.contains("resize"), "{refused}");
    // A queue that the key may not use is refused first, whatever the kind.
    let forbidden = submit(&shared.blog.key, "echo", "shop.a").problem(403);
    for kind in ["resize", "resise"] {
        assert_eq!(submit(&shared.blog.key, kind, "shop.a").problem(403), forbidden);
    }
    let kinds = |key: &Key| {
        let kinds = shared.get(key, "/v1/kinds").expect(200)["kinds"].clone();
        let kinds = kinds.as_array().unwrap().iter().map(|entry| entry["kind"].clone());
        kinds.filter(|kind| kind == "resize" || kind == "print").collect::<Vec<_>>()
    };
    assert_eq!(kinds(&shared.shop.key), ["print", "resize"]);
    assert_eq!(kinds(&shared.ops), ["print", "resize"]);
    assert_eq!(kinds(&shared.blog.key), ["print"]);
    for key in [&shared.shop.key, &shared.blog.key] {
        submit(key, "print", if key.id == shared.shop.key.id { "shop.a" } else { "blog.a" })
            .expect(202);
    }
}

#[test]
fn a_worker_that_is_refused_makes_no_kind_known() {
    let shared = Shared::start();
    let wanted = json!({"kinds": ["resize"], "queues": ["shop.a"]});
    shared.post(&shared.blog.key, "/v1/leases", &wanted).problem(403);
    let reader = json!({"name": "reader", "scopes": ["read"]});
    let reader = create(&shared.server, &shared.ops, &reader);
    shared.post(&reader, "/v1/leases", &json!({"kinds": ["resize"]})).problem(403);
    shared
        .post(&shared.ops, "/v1/jobs", &json!({"kind": "resize", "queue": "shop.a"}))
        .problem(422);
}
