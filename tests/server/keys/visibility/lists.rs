//! Lists, counts and pages: what belongs to other applications is left out.

use serde_json::{Value, json};

use super::{Application, Key, Shared, ids};
use crate::keys::bearer;

/// Returns the ids of all pages of a list.
fn all_pages(shared: &Shared, key: &Key, list: &str, query: &str) -> Vec<i64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shared.get(key, &format!("/v1/{list}?limit=2{query}{cursor}")).expect(200);
        found.extend(ids(&page[list]));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Returns a server with jobs of both applications in turn, and the ids of each.
fn mixed() -> (Shared, Vec<i64>, Vec<i64>) {
    let shared = Shared::start();
    let (mut shop, mut blog) = (Vec::new(), Vec::new());
    for number in 0..5 {
        shop.push(shared.submit(&shared.shop, number));
        blog.push(shared.submit(&shared.blog, number));
        shop.push(shared.submit(&shared.shop, "more"));
    }
    shop.reverse();
    blog.reverse();
    (shared, shop, blog)
}

#[test]
fn a_list_with_any_filter_has_only_the_own_jobs_on_all_of_its_pages() {
    let (shared, of_shop, of_blog) = mixed();
    for query in [
        "",
        "&state=queued",
        "&kind=resize",
        "&include=payload,result",
        "&state=queued&kind=resize",
    ] {
        assert_eq!(all_pages(&shared, &shared.shop.key, "jobs", query), of_shop, "{query}");
        assert_eq!(all_pages(&shared, &shared.blog.key, "jobs", query), of_blog, "{query}");
        assert_eq!(all_pages(&shared, &shared.blog.admin, "jobs", query), of_blog, "{query}");
    }
    let only = |application: &Application, query: &str| {
        all_pages(&shared, &shared.blog.key, "jobs", &query.replace("{}", &application.queue))
    };
    for query in ["&queue={}", "&tag={}", "&queue={}&state=queued", "&tag={}&kind=resize"] {
        assert_eq!(only(&shared.blog, query), of_blog, "{query}");
        assert_eq!(only(&shared.shop, query), Vec::<i64>::new(), "{query}");
    }
    // A cursor is an id, which may be one of another application.
    let page = shared.get(&shared.blog.key, &format!("/v1/jobs?cursor={}", of_shop[0]));
    assert_eq!(ids(&page.expect(200)["jobs"]), of_blog);
    for state in ["running", "completed", "failed", "cancelled", "retrying", "scheduled"] {
        let query = format!("&state={state}");
        assert_eq!(all_pages(&shared, &shared.blog.key, "jobs", &query), Vec::<i64>::new());
    }
}

#[test]
fn batches_are_seen_by_those_who_may_use_all_of_their_queues() {
    let shared = Shared::start();
    let (mut of_shop, mut of_blog) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        of_shop.push(shared.submit_batch(&shared.shop));
        shared.submit_mixed_batch();
        of_blog.push(shared.submit_batch(&shared.blog));
    }
    let jobs_of =
        |key: &Key, batch: i64| all_pages(&shared, key, "jobs", &format!("&batch={batch}")).len();
    let mixed = of_shop[0] + 1;
    assert_eq!(
        (jobs_of(&shared.blog.key, of_blog[0]), jobs_of(&shared.blog.key, of_shop[0])),
        (2, 0)
    );
    // Of a mixed batch, each application sees its own jobs.
    assert_eq!((jobs_of(&shared.blog.key, mixed), jobs_of(&shared.ops, mixed)), (1, 2));
    of_shop.reverse();
    of_blog.reverse();
    assert_eq!(all_pages(&shared, &shared.shop.key, "batches", ""), of_shop);
    assert_eq!(all_pages(&shared, &shared.blog.key, "batches", ""), of_blog);
    assert_eq!(all_pages(&shared, &shared.ops, "batches", "").len(), 9);
    shared.get(&shared.blog.key, &format!("/v1/batches/{mixed}")).problem(404);
}

#[test]
fn queues_and_counts_are_the_own_ones() {
    let (shared, _, of_blog) = mixed();
    let (blog, count) = (&shared.blog, of_blog.len());
    for key in [&blog.key, &blog.admin] {
        let queues = shared.get(key, "/v1/queues").expect(200);
        let queues = queues["queues"].as_array().unwrap();
        assert_eq!((queues.len(), &queues[0]["name"]), (1, &json!("blog.a")));
        shared.get(key, "/v1/queues/blog.a").expect(200);
        let of_other = shared.get(key, "/v1/queues/shop.a").problem(404);
        let of_none = shared.get(key, "/v1/queues/shop.b").problem(404);
        assert_eq!(of_other.replace("shop.a", "shop.b"), of_none);
        let stats = shared.get(key, "/v1/stats").expect(200);
        assert_eq!((&stats["jobs"]["queued"], &stats["lanes"]), (&json!(count), &json!([])));
        assert_eq!(submitted(&stats), count as u64, "{stats}");
        let stats = shared.get(key, "/v1/stats?queue=shop.a").expect(200);
        assert_eq!((&stats["jobs"]["queued"], submitted(&stats)), (&json!(0), 0));
        shared.get(key, "/v1/providers").problem(403);
    }
    let all = shared.get(&shared.ops, "/v1/stats").expect(200);
    assert_eq!(submitted(&all), 15);
    let change = json!({"paused": true});
    let path = "/v1/queues/shop.a";
    crate::keys::call(&shared.server, &blog.admin, "PATCH", path, Some(&change)).problem(403);
    assert_eq!(shared.get(&shared.ops, path).expect(200)["paused"], false);
    let path = "/v1/queues/blog.a";
    crate::keys::call(&shared.server, &blog.admin, "PATCH", path, Some(&change)).expect(200);
}

/// Returns the number of submitted jobs in all points of statistics.
fn submitted(stats: &Value) -> u64 {
    let points = stats["points"].as_array().unwrap();
    points.iter().map(|point| point["submitted"].as_u64().unwrap()).sum()
}

#[test]
fn no_page_shows_another_application() {
    let (shared, of_shop, of_blog) = mixed();
    shared.submit_batch(&shared.shop);
    shared.submit_mixed_batch();
    let own = shared.submit_batch(&shared.blog);
    let authorization = bearer(&shared.blog.admin);
    let headers = [("authorization", &*authorization), ("accept", "text/html")];
    let page = |path: &str| shared.server.request("GET", path, &headers, b"");
    for path in [
        "/",
        "/jobs",
        "/jobs?state=queued",
        "/batches",
        "/queues",
        "/queues/blog.a",
        "/submit",
        "/demo",
    ] {
        let answer = page(path);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{path}: {text}");
        assert!(!text.contains("shop"), "{path} shows the other application: {text}");
    }
    for path in [
        format!("/jobs/{}", of_shop[0]),
        "/batches/1".into(),
        "/batches/2".into(),
        "/queues/shop.a".into(),
        format!("/submit?from={}", of_shop[0]),
    ] {
        assert_eq!(page(&path).status, 404, "{path}");
    }
    for path in [format!("/jobs/{}", of_blog[0]), format!("/batches/{own}")] {
        assert_eq!(page(&path).status, 200, "{path}");
    }
}

#[test]
fn a_list_of_batches_has_the_own_ones_without_jobs() {
    let shared = Shared::start();
    let (mut of_shop, mut of_blog) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let batch = json!({"open": number != 1, "jobs": []});
        for (application, ids) in [(&shared.shop, &mut of_shop), (&shared.blog, &mut of_blog)] {
            let empty = shared.post(&application.key, "/v1/batches", &batch).expect(202);
            ids.insert(0, empty["id"].as_i64().unwrap());
            ids.insert(0, shared.submit_batch(application));
        }
        shared.post(&shared.ops, "/v1/batches", &batch).expect(202);
    }
    assert_eq!(all_pages(&shared, &shared.shop.key, "batches", ""), of_shop);
    assert_eq!(all_pages(&shared, &shared.blog.key, "batches", ""), of_blog);
    assert_eq!(all_pages(&shared, &shared.blog.admin, "batches", ""), of_blog);
}
