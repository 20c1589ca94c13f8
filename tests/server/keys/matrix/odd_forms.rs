//! Odd forms of paths and methods: none of them lets a caller do what the plain form refuses.

use longshore::api::routes::access::Access;

use super::caller::{Caller, Shown};
use super::target::{Entry, Target, entries};
use super::{Expected, World, assert_none, assert_same};

/// Methods that no route has, or only some.
const METHODS: [&str; 9] =
    ["HEAD", "OPTIONS", "PUT", "TRACE", "FOO", "get", "post", "PROPFIND", "GETX"];

/// Returns other forms of a path.
fn odd_paths(path: &str, addr: &str) -> Vec<String> {
    let encoded = |upper: bool, first_only: bool| -> String {
        let mut is_done = false;
        let letter = |letter: char| {
            if !letter.is_ascii_alphanumeric() || (first_only && is_done) {
                return letter.to_string();
            }
            is_done = true;
            let code = u32::from(letter);
            if upper { format!("%{code:02X}") } else { format!("%{code:02x}") }
        };
        path.chars().map(letter).collect()
    };
    let inner = path.trim_start_matches('/');
    vec![
        encoded(false, true),
        encoded(true, false),
        format!("/{path}"),
        path.replacen('/', "//", 2),
        path.replacen('/', "/./", 1),
        format!("/x/..{path}"),
        format!("{path}/"),
        format!("{path}/."),
        format!("{path};x"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%2f"),
        format!("{path}?x=/healthz"),
        path.to_uppercase(),
        format!("/%2f{inner}"),
        format!("/{}", inner.replace('/', "%2f")),
        format!("/healthz/..{path}"),
        format!("/healthz%2f..{path}"),
        format!("/assets/style.css/../..{path}"),
        format!("http://{addr}{path}"),
        format!("http://{addr}//{inner}"),
    ]
}

/// Headers by which some servers change the path or the method.
const HEADERS: [(&str, &str); 5] = [
    ("x-original-url", "/healthz"),
    ("x-rewrite-url", "/healthz"),
    ("x-http-method-override", "GET"),
    ("x-method-override", "HEAD"),
    ("x-forwarded-for", "127.0.0.1"),
];

/// Returns other forms of a request. Methods that the path has itself are left out.
fn odd_targets(entry: Entry, target: &Target, addr: &str) -> Vec<Target> {
    let has = |method: &str| {
        entries().any(|other| {
            let is_same = other.path() == entry.path();
            let known = other.method().as_str();
            is_same && (known == method || (known == "GET" && method == "HEAD"))
        })
    };
    let mut odd = Vec::new();
    odd.extend(
        odd_paths(&target.path, addr).into_iter().map(|path| Target { path, ..target.clone() }),
    );
    let methods = METHODS.into_iter().filter(|method| !has(method));
    odd.extend(methods.map(|method| Target { method, ..target.clone() }));
    // A `HEAD` is a `GET`.
    if target.method == "GET" {
        odd.push(Target { method: "HEAD", ..target.clone() });
    }
    for header in HEADERS {
        let headers = [&target.headers[..], &[(header.0, header.1.to_owned())]].concat();
        odd.push(Target { headers, ..target.clone() });
    }
    odd
}

/// Returns whether an odd form is refused as much as the plain one.
fn is_refused(entry: Entry, caller: &Caller, status: u16) -> bool {
    match caller.shown {
        Shown::Nothing if entry.access() != Access::Public => matches!(status, 400 | 401),
        _ => status >= 400,
    }
}

#[test]
fn no_odd_form_of_a_request_does_more_than_the_plain_one() {
    let world = World::start();
    let resources = world.resources(&Caller::administrator(&world.ops), 0);
    let before = world.state();
    let addr = world.server.addr().to_string();
    // One of each class, because each of them sends thousands of requests.
    let names = [
        "no key",
        "damaged key",
        "submit",
        "read",
        "work",
        "admin of blog.*",
        "token of another job",
    ];
    let callers: Vec<&Caller> =
        world.callers.iter().filter(|caller| names.contains(&caller.name.as_str())).collect();
    assert_eq!(callers.len(), names.len());
    let mut wrong = Vec::new();
    for entry in entries() {
        let refused =
            callers.iter().filter(|caller| Expected::of(entry, caller) != Expected::Served);
        for caller in refused {
            for target in odd_targets(entry, &entry.target(&resources), &addr) {
                let status = caller.status(&world.server, &target);
                if !is_refused(entry, caller, status) {
                    let Target { method, path, headers, .. } = &target;
                    wrong.push(format!(
                        "{method} {path} {headers:?} with {}: {status}",
                        caller.name
                    ));
                }
            }
        }
    }
    assert_none(&wrong);
    assert_same(&before, &world.state());
}

#[test]
fn odd_forms_of_public_paths_and_unknown_paths_need_a_key() {
    let world = World::start();
    let addr = world.server.addr().to_string();
    let nobody = world.callers.iter().find(|caller| caller.name == "no key").unwrap();
    let resources = world.resources(&Caller::administrator(&world.ops), 0);
    let mut wrong = Vec::new();
    for entry in entries().filter(|entry| entry.access() == Access::Public) {
        for target in odd_targets(entry, &entry.target(&resources), &addr) {
            let status = nobody.status(&world.server, &target);
            // Either the same page, or nothing.
            if !matches!(status, 200 | 303 | 400 | 401 | 403) {
                wrong.push(format!("{} {}: {status}", target.method, target.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_browser_without_a_key_is_sent_from_each_page_to_the_one_to_sign_in() {
    let world = World::start();
    let nobody = world.callers.iter().find(|caller| caller.name == "no key").unwrap();
    let resources = world.resources(&Caller::administrator(&world.ops), 0);
    let mut wrong = Vec::new();
    for entry in entries().filter(|entry| entry.access() != Access::Public) {
        let mut target = entry.target(&resources);
        target.headers.push(("accept", "text/html".into()));
        let answer = nobody.send(&world.server, &target);
        let is_page = matches!(entry, Entry::Page(_)) && target.method == "GET";
        let expected = if is_page { 303 } else { 401 };
        let next = answer.header("location").unwrap_or_default();
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != expected || (is_page && !next.starts_with("/login?next=/")) {
            wrong.push(format!("{}: {} {next} {text}", entry.name(), answer.status));
        }
    }
    assert_none(&wrong);
}
