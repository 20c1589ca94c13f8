//! Reads and changes by id: what belongs to another application does not exist.

use serde_json::{Value, json};

use super::{Key, Shared};
use crate::keys::call;

/// Asserts that a request about something of another application is answered as one about nothing.
fn assert_hidden(
    shared: &Shared,
    key: &Key,
    method: &str,
    path: &str,
    id: i64,
    body: Option<&Value>,
) {
    let of = |id: i64| {
        call(&shared.server, key, method, &path.replace("{id}", &id.to_string()), body).problem(404)
    };
    let (hidden, missing) = (of(id), of(987_654));
    assert_eq!(hidden.replace(&id.to_string(), "987654"), missing, "{method} {path}");
}

#[test]
fn a_job_of_another_application_does_not_exist() {
    let shared = Shared::start();
    let waiting = shared.submit(&shared.shop, 1);
    let ended = shared.submit(&shared.shop, 2);
    let cancel = format!("/v1/jobs/{ended}/cancel");
    call(&shared.server, &shared.shop.key, "POST", &cancel, None).expect(200);
    let before = shared.jobs();
    let blog = [&shared.blog.key, &shared.blog.admin];
    for (key, id) in blog.into_iter().flat_map(|key| [(key, waiting), (key, ended)]) {
        for path in ["", "?wait=30s", "/log", "/events"] {
            assert_hidden(&shared, key, "GET", &format!("/v1/jobs/{{id}}{path}"), id, None);
        }
        for path in ["cancel", "token"] {
            assert_hidden(&shared, key, "POST", &format!("/v1/jobs/{{id}}/{path}"), id, None);
        }
    }
    for id in [waiting, ended] {
        let admin = &shared.blog.admin;
        assert_hidden(&shared, admin, "POST", "/v1/jobs/{id}/retry", id, None);
        assert_hidden(&shared, admin, "DELETE", "/v1/jobs/{id}", id, None);
        let patch = json!({"priority": 9});
        assert_hidden(&shared, admin, "PATCH", "/v1/jobs/{id}", id, Some(&patch));
    }
    assert_eq!(shared.jobs(), before);
}

#[test]
fn a_batch_with_jobs_of_another_application_does_not_exist() {
    let shared = Shared::start();
    let batches = [shared.submit_batch(&shared.shop), shared.submit_mixed_batch()];
    let before = shared.jobs();
    let blog = [&shared.blog.key, &shared.blog.admin];
    for (key, id) in blog.into_iter().flat_map(|key| batches.map(|id| (key, id))) {
        for path in
            ["", "?wait=30s", "/events", "/events?jobs=true", "/results", "/results?wait=30s"]
        {
            assert_hidden(&shared, key, "GET", &format!("/v1/batches/{{id}}{path}"), id, None);
        }
        for path in ["cancel", "token", "close"] {
            assert_hidden(&shared, key, "POST", &format!("/v1/batches/{{id}}/{path}"), id, None);
        }
    }
    assert_eq!(shared.jobs(), before);
}

#[test]
fn an_open_batch_without_jobs_belongs_to_the_queues_of_its_key() {
    let shared = Shared::start();
    let create = |key: &Key| {
        let batch = json!({"open": true, "jobs": []});
        shared.post(key, "/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    };
    let of_shop = create(&shared.shop.key);
    let batches = [of_shop, create(&shared.ops)];
    let jobs = json!({"jobs": [shared.blog.job(1)]});
    let blog = [&shared.blog.key, &shared.blog.admin];
    for (key, id) in blog.into_iter().flat_map(|key| batches.map(|id| (key, id))) {
        for path in ["", "/events", "/events?jobs=true", "/results"] {
            assert_hidden(&shared, key, "GET", &format!("/v1/batches/{{id}}{path}"), id, None);
        }
        for path in ["cancel", "token", "close"] {
            assert_hidden(&shared, key, "POST", &format!("/v1/batches/{{id}}/{path}"), id, None);
        }
        assert_hidden(&shared, key, "POST", "/v1/batches/{id}/jobs", id, Some(&jobs));
    }
    let path = format!("/v1/batches/{of_shop}");
    for key in [&shared.shop.key, &shared.shop.admin, &shared.ops] {
        assert_eq!(shared.get(key, &path).expect(200)["open"], true);
    }
    let jobs = json!({"jobs": [shared.shop.job(1)]});
    shared.post(&shared.shop.key, &format!("{path}/jobs"), &jobs).expect(202);
    shared.get(&shared.shop.key, &path).expect(200);
    shared.get(&shared.blog.key, &path).problem(404);
}

#[test]
fn a_batch_is_hidden_once_one_of_its_jobs_was_moved_to_another_application() {
    let shared = Shared::start();
    let batch = shared.submit_batch(&shared.blog);
    let path = format!("/v1/batches/{batch}");
    let token = call(&shared.server, &shared.blog.key, "POST", &format!("{path}/token"), None);
    let token = token.expect(201)["token"].as_str().unwrap().to_owned();
    let with_token = format!("{path}?token={token}");
    shared.server.get(&with_token).expect(200);
    let first = shared.get(&shared.blog.key, &format!("/v1/jobs?batch={batch}")).expect(200);
    let first = first["jobs"][0]["id"].as_i64().unwrap();
    let moved = json!({"queue": "shop.a"});
    call(&shared.server, &shared.ops, "PATCH", &format!("/v1/jobs/{first}"), Some(&moved))
        .expect(200);
    shared.get(&shared.blog.key, &path).problem(404);
    // The token is worth what its key is.
    shared.server.get(&with_token).problem(404);
    shared.get(&shared.blog.key, &format!("/v1/jobs/{first}")).problem(404);
    shared.get(&shared.shop.key, &format!("/v1/jobs/{first}")).expect(200);
}

#[test]
fn bulk_actions_refuse_the_jobs_of_another_application_one_by_one() {
    let shared = Shared::start();
    for action in ["cancel", "retry", "delete"] {
        let other = shared.submit(&shared.shop, action);
        let own = shared.submit(&shared.blog, action);
        if action != "cancel" {
            for (application, id) in [(&shared.shop, other), (&shared.blog, own)] {
                let path = format!("/v1/jobs/{id}/cancel");
                call(&shared.server, &application.key, "POST", &path, None).expect(200);
            }
        }
        let state = shared.get(&shared.ops, &format!("/v1/jobs/{other}")).expect(200);
        let body = json!({"ids": [other, own, 987_654]});
        let answer = shared.post(&shared.blog.admin, &format!("/v1/jobs/{action}"), &body);
        let answers = answer.expect(200)["answers"].clone();
        let statuses: Vec<&Value> = (0..3).map(|index| &answers[index]["status"]).collect();
        assert_eq!((statuses[0], statuses[2]), (&json!(404), &json!(404)), "{answers}");
        assert!(statuses[1].as_u64().is_none_or(|status| status < 300), "{answers}");
        let detail = |index: usize| answers[index]["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail(0).replace(&other.to_string(), "987654"), detail(2));
        assert_eq!(shared.get(&shared.ops, &format!("/v1/jobs/{other}")).expect(200), state);
    }
}
