//! Headers of proxies.

use crate::kit::{Response, Server, Setup, eventually};

const FORWARDED: [(&str, &str); 3] = [
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "jobs.example"),
    ("x-forwarded-for", "203.0.113.7"),
];

fn start(trusted: &str) -> Server {
    Setup::new().config(format!("hosts = ['jobs.example']\ntrusted_proxies = [{trusted}]")).start()
}

/// Returns the demonstration page, whose examples name the URL of the server.
fn demo(server: &Server, headers: &[(&str, &str)]) -> String {
    let Response { status, body, .. } = server.request("GET", "/demo", headers, b"");
    assert_eq!(status, 200);
    String::from_utf8(body).unwrap()
}

#[test]
fn only_a_trusted_proxy_says_how_the_client_sees_the_server() {
    let own = |server: &Server| format!("http://{}/v1/", server.addr());
    let public = "https://jobs.example/v1/";
    let server = start("'127.0.0.0/8'");
    let page = demo(&server, &FORWARDED);
    assert!(page.contains(public) && !page.contains(&own(&server)));
    assert!(demo(&server, &[]).contains(&own(&server)));
    for trusted in ["", "'127.0.0.2', '10.0.0.0/8', 'unix'"] {
        let server = start(trusted);
        let page = demo(&server, &FORWARDED);
        assert!(
            page.contains(&own(&server)) && !page.contains("https://jobs.example"),
            "{trusted}"
        );
    }
}

#[test]
fn a_page_behind_a_trusted_proxy_may_call_the_server() {
    let origin = ("origin", "https://jobs.example");
    let headers = [&FORWARDED[..], &[origin]].concat();
    let status = |trusted: &str, headers: &[(&str, &str)]| {
        start(trusted).request("GET", "/v1/queues", headers, b"").status
    };
    assert_eq!(status("'127.0.0.1'", &headers), 200);
    assert_eq!(status("'10.0.0.1'", &headers), 403);
    assert_eq!(status("'127.0.0.1'", &[origin]), 403);
    let foreign = [&FORWARDED[..], &[("origin", "https://evil.example")]].concat();
    assert_eq!(status("'127.0.0.1'", &foreign), 403);
}

#[test]
fn the_name_that_a_trusted_proxy_reports_must_be_configured() {
    let server = start("'127.0.0.1'");
    for (name, status) in [("jobs.example", 200), ("JOBS.example:8443", 200), ("evil.example", 403)]
    {
        let headers = [("x-forwarded-host", name)];
        assert_eq!(server.request("GET", "/v1/queues", &headers, b"").status, status, "{name}");
    }
    // Without trust, the header says nothing and `Host` decides.
    let server = start("");
    let headers = [("x-forwarded-host", "evil.example")];
    assert_eq!(server.request("GET", "/v1/queues", &headers, b"").status, 200);
}

#[test]
fn the_audit_log_names_the_client_that_a_trusted_proxy_reports() {
    for (trusted, client) in
        [("'127.0.0.1'", "client=\"203.0.113.7\""), ("", "client=\"127.0.0.1:")]
    {
        let server = start(trusted);
        server.request("POST", "/v1/jobs/1/retry", &FORWARDED, b"").problem(404);
        let line = eventually("the request is logged", || {
            let log = server.log();
            log.lines().find(|line| line.contains("/v1/jobs/{id}/retry")).map(str::to_owned)
        });
        assert!(line.contains("longshore::audit") && line.contains(client), "{trusted}: {line}");
    }
}

#[test]
fn a_proxy_that_is_no_address_is_refused_at_the_start() {
    let output = Setup::new().config("trusted_proxies = ['proxy.example']").fail();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("must be an address such as 10.0.0.2"), "{text}");
}
