//! Every link, picture and form of the pages leads somewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;

use super::{get_html, submit_evil_jobs};
use crate::kit::leases::{lease, remote};
use crate::kit::{Server, Setup, echo, sleep, with};

/// Addresses that a page names in these attributes.
const ATTRIBUTES: [&str; 3] = ["href", "src", "action"];

/// Fills a server with jobs in every state, a batch, a log, a large result and many rows.
fn fill(server: &Server) {
    submit_evil_jobs(server);
    let failing = json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}});
    server.run(&with(failing.clone(), &json!({"max_attempts": 1, "queue": "mail"})));
    server.submit(&with(failing, &json!({"backoff": {"initial": "1h"}, "tags": ["a&b", "ü"]})));
    server.run(&echo("x".repeat(300 << 10)));
    server.submit(&with(echo(1), &json!({"delay": "1h"})));
    server.submit(&sleep("1h"));
    server.submit(&remote(1));
    lease(server, 1, &json!({}));
    let cancelled = server.submit(&with(echo(1), &json!({"delay": "1h"})));
    server.post_empty(&format!("/v1/jobs/{cancelled}/cancel")).expect(200);
    let many: Vec<_> = (0..60).map(|at| with(echo(at), &json!({"queue": "many"}))).collect();
    server.post("/v1/batches", &json!({"jobs": many})).expect(202);
}

/// Returns the addresses in a page, each with its attribute.
fn addresses(text: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for name in ATTRIBUTES {
        for rest in text.split(&format!(" {name}=\"")).skip(1) {
            let address = rest.split('"').next().unwrap();
            found.push((name, address.replace("&#38;", "&").replace("&amp;", "&")));
        }
    }
    found
}

#[test]
fn every_link_and_every_form_of_every_page_leads_somewhere() {
    let config = "[commands.greet]\nargv = ['echo', 'hello']\n\
        [providers.local]\nbase_url = 'http://127.0.0.1:1/v1'";
    let server = Setup::new().config(config).start();
    fill(&server);
    let starts = ["/", "/nowhere", "/jobs?state=lost", "/jobs?tag=none", "/jobs/999"];
    let mut queue: VecDeque<String> = starts.map(String::from).into();
    let mut seen: BTreeSet<String> = queue.iter().cloned().collect();
    let (mut broken, mut found_on) = (Vec::new(), BTreeMap::new());
    while let Some(path) = queue.pop_front() {
        let response = get_html(&server, &path);
        if response.status != 200 && !starts.contains(&path.as_str()) {
            broken.push(format!("{path} on {:?}: {}", found_on.get(&path), response.status));
        }
        if response.header("content-type") != Some("text/html; charset=utf-8") {
            continue;
        }
        for (attribute, address) in addresses(&String::from_utf8_lossy(&response.body)) {
            // The address of the target of a form accepts no GET, but it exists.
            if attribute != "action" && address.starts_with('/') {
                if seen.insert(address.clone()) {
                    found_on.insert(address.clone(), path.clone());
                    queue.push_back(address);
                }
            } else if attribute != "action" && !address.starts_with('#') {
                broken.push(format!("{address} on {path} is not an address of this server"));
            } else if attribute == "action" && seen.insert(format!("action {address}")) {
                // The address to which a form is posted accepts no GET, but it exists.
                let status = get_html(&server, &address).status;
                if !matches!(status, 200 | 405) {
                    broken.push(format!("the form {address} on {path}: {status}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    for expected in
        ["/queues", "/queues/many", "/providers", "/batches/1", "/jobs/1", "/v1/jobs/1", "/demo"]
    {
        assert!(seen.contains(expected), "no page links to {expected}: {seen:?}");
    }
    assert!(seen.len() > 100, "only {} addresses were found: {seen:?}", seen.len());
}

#[test]
fn no_page_calls_a_list_of_queues_an_api() {
    let server = Server::start();
    for path in ["/", "/jobs", "/queues", "/providers", "/batches", "/submit", "/demo", "/nowhere"]
    {
        let text = String::from_utf8(get_html(&server, path).body).unwrap();
        assert!(!text.contains(">API</a>") && !text.contains("\"/v1/queues\""), "{path}");
    }
}
