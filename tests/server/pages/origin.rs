//! Which page a request comes from: what acts with a cookie, and forms, must come from a page of this server.

use serde_json::json;

use super::ACCEPT_HTML;
use super::login::{Session, location};
use crate::keys::{call, first_key};
use crate::kit::{Server, Setup, echo};

#[test]
fn a_request_with_the_cookie_must_come_from_a_page_of_this_server() {
    let server = Server::start();
    let ops = first_key(&server);
    let session = Session::open(&server, &ops);
    let own = server.url();
    let other_scheme = own.replace("http://", "https://");
    let submit = |headers: &[(&str, &str)]| {
        let json = ("content-type", "application/json");
        let headers = [&[("cookie", &*session.cookie), json], headers].concat();
        let body = echo(1).to_string();
        server.request("POST", "/v1/jobs", &headers, body.as_bytes()).status
    };
    let same = ("sec-fetch-site", "same-origin");
    for own_page in [&[("origin", &*own)][..], &[same], &[same, ("origin", &own)]] {
        assert_eq!(submit(own_page), 202, "{own_page:?}");
        assert_eq!(session.send_from("/queues/a/pause", "", own_page).status, 303, "{own_page:?}");
    }
    for other in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", &*other_scheme)],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-site"), ("origin", &*own)],
        &[("sec-fetch-site", "cross-site")],
        &[same, ("origin", "https://evil.example")],
    ] {
        assert_eq!(submit(other), 403, "{other:?}");
        assert_eq!(session.send_from("/queues/a/resume", "", other).status, 403, "{other:?}");
        assert_eq!(session.send_from("/logout", "", other).status, 403, "{other:?}");
        // A bodiless request of the API.
        let headers = [&[("cookie", &*session.cookie)], other].concat();
        assert_eq!(server.request("POST", "/v1/jobs/1/cancel", &headers, b"").status, 403);
    }
    let queue = call(&server, &ops, "GET", "/v1/queues/a", None).expect(200);
    assert_eq!(queue["paused"], true);
    // The scripts of the pages read without these headers.
    let read = [("cookie", &*session.cookie)];
    server.request("GET", "/v1/jobs", &read, b"").expect(200);
    // A program with a key sends neither.
    call(&server, &ops, "POST", "/v1/jobs/1/cancel", None);
}

#[test]
fn forms_need_an_origin_also_without_keys_and_programs_need_none() {
    let server = Server::start();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let pause = |headers: &[(&str, &str)]| {
        let headers = [&[form], headers].concat();
        server.request("POST", "/queues/a/pause", &headers, b"").status
    };
    assert_eq!(pause(&[("sec-fetch-site", "same-origin")]), 303);
    assert_eq!(pause(&[("sec-fetch-site", "none")]), 403);
    assert_eq!(pause(&[]), 403);
    let id = server.submit(&json!({"kind": "echo", "payload": 1, "delay": "1h"}));
    let cancel = format!("/v1/jobs/{id}/cancel");
    let https = server.url().replace("http://", "https://");
    for other in [("origin", &*https), ("sec-fetch-site", "same-site"), ("origin", "null")] {
        assert_eq!(server.request("POST", &cancel, &[other], b"").status, 403, "{other:?}");
    }
    server.post_empty(&cancel).expect(200);
}

#[test]
fn behind_a_trusted_proxy_the_cookie_and_the_origin_are_those_of_the_browser() {
    let config = "hosts = ['jobs.example']\ntrusted_proxies = ['127.0.0.1']";
    let server = Setup::new().config(config).start();
    let ops = first_key(&server);
    let sign_in = |client: &str, origin: &str, secret: &str| {
        let headers = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "jobs.example"),
            ("x-forwarded-for", client),
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
            ACCEPT_HTML,
        ];
        server.request("POST", "/login", &headers, format!("key={secret}").as_bytes())
    };
    let own = "https://jobs.example";
    let response = sign_in("192.0.2.1", own, &ops.secret);
    assert_eq!(location(&response), "/");
    assert!(response.header("set-cookie").unwrap().ends_with("; SameSite=Strict; Secure"));
    for origin in ["http://jobs.example", &server.url(), "https://jobs.example:8443"] {
        assert_eq!(sign_in("192.0.2.1", origin, &ops.secret).status, 403, "{origin}");
    }
    for _ in 0..10 {
        assert_eq!(sign_in("192.0.2.1", own, "x").status, 401);
    }
    assert_eq!(sign_in("192.0.2.1", own, &ops.secret).status, 429);
    assert_eq!(sign_in("192.0.2.2", own, &ops.secret).status, 303);
}

#[test]
fn a_proxy_that_is_not_named_does_not_change_what_the_server_believes() {
    let server = Server::start();
    let ops = first_key(&server);
    let host = server.addr().to_string();
    let sign_in = |headers: &[(&str, &str)]| {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "jobs.example")];
        let headers = [&[form], &forwarded[..], headers].concat();
        server.request("POST", "/login", &headers, format!("key={}", ops.secret).as_bytes())
    };
    let https = format!("https://{host}");
    assert_eq!(sign_in(&[("origin", &https)]).status, 403);
    assert_eq!(sign_in(&[("origin", "https://jobs.example")]).status, 403);
    // The browser itself says that the page is of the same origin.
    let response = sign_in(&[("origin", &https), ("sec-fetch-site", "same-origin")]);
    assert_eq!(response.status, 303);
    assert!(!response.header("set-cookie").unwrap().contains("Secure"));
}
