//! Submissions: only to one's own queues, and with idempotency keys of one's own.

use serde_json::{Value, json};

use super::{Shared, bearer};
use crate::keys::call;
use crate::kit::leases::remote;
use crate::kit::{Server, with};

#[test]
fn nothing_is_submitted_to_a_queue_of_another_application() {
    let shared = Shared::start();
    let (own, other) = (shared.shop.job(1), shared.blog.job(1));
    let near = |queue: &str| with(own.clone(), &json!({"queue": queue}));
    let mut bodies: Vec<(&str, Value)> = vec![
        ("/v1/jobs", other.clone()),
        ("/v1/jobs", json!([own, other])),
        ("/v1/jobs", json!([other, own])),
        ("/v1/batches", json!({"jobs": [other]})),
        ("/v1/batches", json!({"jobs": [own, own, other]})),
        // The queue of a job without one is `default`.
        ("/v1/jobs", remote(1)),
        // A follow-up job, also one in a chain or of a batch.
        ("/v1/jobs", with(own.clone(), &json!({"then": other}))),
        (
            "/v1/jobs",
            with(own.clone(), &json!({"then": with(own.clone(), &json!({"then": other}))})),
        ),
        ("/v1/batches", json!({"jobs": [own], "then": other})),
    ];
    bodies
        .extend(["shop", "shopx.a", "a.shop.b", "xshop.a"].map(|queue| ("/v1/jobs", near(queue))));
    for (path, body) in &bodies {
        for key in [&shared.shop.key, &shared.shop.admin] {
            let detail = shared.post(key, path, body).problem(403);
            assert!(detail.contains("the key may not use queue"), "{detail}");
            assert!(detail.contains("shop.*") && !detail.contains("blog.*"), "{detail}");
        }
    }
    let lines = format!("{own}\n{other}\n");
    let authorization = bearer(&shared.shop.key);
    let headers = [("authorization", &*authorization), ("content-type", "application/x-ndjson")];
    shared.server.request("POST", "/v1/jobs", &headers, lines.as_bytes()).problem(403);
    assert_eq!(shared.jobs(), json!([]));
    let queues = shared.get(&shared.ops, "/v1/queues").expect(200);
    assert_eq!(queues, json!({"queues": []}));
    for queue in ["shop.a", "shop.", "shop.a.b"] {
        shared.post(&shared.shop.key, "/v1/jobs", &near(queue)).expect(202);
    }
}

#[test]
fn a_job_is_not_moved_to_a_queue_of_another_application() {
    let shared = Shared::start();
    let id = shared.submit(&shared.shop, 1);
    let patch = |key, queue: &str| {
        let body = json!({"queue": queue, "priority": 9});
        call(&shared.server, key, "PATCH", &format!("/v1/jobs/{id}"), Some(&body))
    };
    let before = shared.jobs();
    assert!(patch(&shared.shop.admin, "blog.a").problem(403).contains("queue blog.a"));
    // Nor does the other one take it.
    patch(&shared.blog.admin, "blog.a").problem(404);
    assert_eq!(shared.jobs(), before);
    assert_eq!(patch(&shared.shop.admin, "shop.b").expect(200)["queue"], "shop.b");
}

#[test]
fn one_idempotency_key_of_two_applications_makes_two_jobs() {
    let shared = Shared::start();
    let (shop, blog) = (&shared.shop, &shared.blog);
    let once = |application: &super::Application, path: &str, body: &Value| {
        let answer = shared.post_once(&application.key, path, "order-1", body);
        answer.expect(202)["id"].as_i64().unwrap()
    };
    let of_shop = once(shop, "/v1/jobs", &shop.job(1));
    let of_blog = once(blog, "/v1/jobs", &blog.job(1));
    assert_ne!(of_shop, of_blog);
    assert_eq!(once(shop, "/v1/jobs", &shop.job(1)), of_shop);
    assert_eq!(once(blog, "/v1/jobs", &blog.job(1)), of_blog);
    // Each of them is told about its own job only.
    let other = shared.post_once(&blog.key, "/v1/jobs", "order-1", &blog.job(2)).problem(422);
    assert!(other.ends_with(&format!("whose first job is {of_blog}")), "{other}");
    // Two keys of one application are two keys.
    let admin = shared.post_once(&shop.admin, "/v1/jobs", "order-1", &shop.job(1)).expect(202);
    assert!(admin["id"].as_i64().unwrap() > of_blog);
    let batch = |application: &super::Application| {
        let body = json!({"jobs": [application.job(1)]});
        let answer = shared.post_once(&application.key, "/v1/batches", "batch-1", &body);
        answer.expect(202)["id"].as_i64().unwrap()
    };
    let (first, second) = (batch(shop), batch(blog));
    assert_ne!(first, second);
    assert_eq!((batch(shop), batch(blog)), (first, second));
}

#[test]
fn an_idempotency_key_from_before_the_first_api_key_is_known_to_all() {
    let server = Server::start();
    let job = with(remote(1), &json!({"queue": "shop.a"}));
    let first = server.post_with("/v1/jobs", &[("idempotency-key", "k")], &job).expect(202);
    let shared = Shared::on(server);
    let again = shared.post_once(&shared.shop.key, "/v1/jobs", "k", &job).expect(202);
    assert_eq!(again["id"], first["id"]);
    // The queue counts first, so the other application learns nothing.
    shared.post_once(&shared.blog.key, "/v1/jobs", "k", &job).problem(403);
}
