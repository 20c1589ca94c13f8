//! Signing in, the page of the keys, and signing out.

use serde_json::json;

use crate::chromium::axe::violations;
use crate::chromium::page::Page;
use crate::kit::Server;

/// Creates the first key of a server. Returns its secret.
fn first_key(server: &Server) -> String {
    let key = server.post("/v1/keys", &json!({"name": "ops", "scopes": ["admin"]})).expect(201);
    key["secret"].as_str().unwrap().to_owned()
}

/// Checks the accessibility of the open page in both modes, and that it fits a phone.
fn assert_usable(page: &Page, what: &str) {
    for scheme in ["light", "dark"] {
        page.set_color_scheme(scheme);
        assert_eq!(violations(page), [""; 0], "{what} {scheme}");
    }
    page.set_color_scheme("light");
    page.size(360, 640);
    let widths = page.value("[document.documentElement.scrollWidth, innerWidth]");
    assert_eq!(widths[0], widths[1], "{what} is wider than a phone");
    page.emulate_size(1280, 900);
}

fn sign_in(page: &Page, secret: &str) {
    page.fill("#key", secret);
    page.press("Sign in");
}

#[test]
fn a_user_signs_in_creates_and_revokes_a_key_and_signs_out() {
    let server = Server::start();
    let ops = first_key(&server);
    let Some(page) = Page::open(&server, "/jobs?state=failed") else { return };
    page.wait_for_path("/login?next=/jobs%3Fstate%3Dfailed");
    assert_eq!(page.value("document.activeElement.id"), "key");
    sign_in(&page, "ls_wrong");
    page.wait_for_text("This key is not valid.");
    assert_usable(&page, "sign in");
    sign_in(&page, &ops);
    page.wait_for_path("/jobs?state=failed");
    assert_eq!(page.value("document.cookie"), "", "a script can read the session");

    page.follow("Keys");
    page.wait_for_path("/keys");
    assert_usable(&page, "keys");
    page.fill("#name", "shop <b>&");
    page.click("input[value=submit]");
    page.fill("#queues", "mail shop.*");
    page.press("Create key");
    page.wait_for_text("Copy it now.");
    assert_usable(&page, "created");
    let secret = page.text("#new-key").unwrap();
    page.press("Copy");
    page.wait_for(
        "the button answers",
        "/Copied|Selected/.test(document.querySelector('[data-copy]').innerText)",
    );
    let bearer = format!("Bearer {secret}");
    server.request("GET", "/v1/jobs/1", &[("authorization", &bearer)], b"").problem(404);
    page.follow("Done");
    page.press("Revoke key shop <b>&");
    page.press("Revoke this key?");
    page.wait_for_text("revoked");
    server.request("GET", "/v1/jobs/1", &[("authorization", &bearer)], b"").problem(401);

    page.press("Sign out");
    page.wait_for_path("/login");
    page.run("history.back()", &json!([]));
    page.wait_for(
        "the page is not shown again",
        "location.pathname === '/login' && document.querySelector('#key')",
    );
    page.assert_clean_except(&["status of 401"]);
}

#[test]
fn the_open_pages_of_a_key_that_ends_ask_to_sign_in() {
    let server = Server::start();
    let ops = first_key(&server);
    let Some(page) = Page::open(&server, "/jobs") else { return };
    page.wait_for_path("/login?next=/jobs");
    sign_in(&page, &ops);
    page.wait_for_path("/jobs");
    // The list follows the events of all jobs.
    let bearer = format!("Bearer {ops}");
    let headers = [("authorization", &*bearer)];
    server.post_with("/v1/jobs", &headers, &json!({"kind": "echo", "payload": 1})).expect(202);
    page.wait_for("the job is shown", "document.querySelector('#job-1')");
    assert_eq!(server.request("DELETE", "/v1/keys/1", &headers, b"").status, 200);
    page.wait_for_path("/login?next=/jobs");
    page.assert_clean_except(&["status of 401", "ERR_INCOMPLETE_CHUNKED_ENCODING"]);
}

#[test]
fn signing_in_works_without_scripts() {
    let server = Server::start();
    let ops = first_key(&server);
    let Some(page) = Page::blank(&server.url()) else { return };
    page.allow_scripts(false);
    page.goto("/keys");
    page.wait_for_path("/login?next=/keys");
    sign_in(&page, &ops);
    page.wait_for_path("/keys");
    page.fill("#name", "shop");
    page.click("input[value=read]");
    page.press("Create key");
    page.wait_for_text("Copy it now.");
    page.follow("Done");
    page.press("Revoke key shop");
    page.wait_for_text("revoked");
    page.press("Sign out");
    page.wait_for_path("/login");
    page.assert_clean();
}
