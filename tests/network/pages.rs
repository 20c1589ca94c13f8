//! The pages in a browser on the other host, over TLS and with a key.

use serde_json::json;

use crate::access::Access;
use crate::chromium::host::BrowserHost;
use crate::chromium::page::Page;
use crate::hosts::Hosts;
use crate::kit::tls::public_key_hash;
use crate::tls::start_with_key;

/// Name of the cookie of a session.
const COOKIE: &str = "longshore_session";

/// Opens a browser on the host of the clients that trusts the certificate `first`.
fn open_browser(hosts: &Hosts, url: &str) -> Option<Page> {
    let trust = format!("--ignore-certificate-errors-spki-list={}", public_key_hash("first"));
    Page::blank_on(&BrowserHost::namespace(hosts.client_namespace(), vec![trust]), url)
}

/// Asserts that a user signs in, submits a job, sees its end, and signs out.
pub(crate) fn assert_a_user_works_with_the_pages(hosts: &Hosts, url: &str, access: &Access) {
    let Some(page) = open_browser(hosts, url) else { return };
    page.goto("/submit?kind=echo");
    page.wait_for_path("/login?next=/submit%3Fkind%3Decho");
    assert_eq!(page.cookie(COOKIE), None);
    page.fill("#key", access.secret().unwrap());
    page.press("Sign in");
    page.wait_for_path("/submit?kind=echo");
    let cookie = page.cookie(COOKIE).unwrap();
    let attributes = ["secure", "httpOnly", "sameSite", "path"].map(|name| cookie[name].clone());
    assert_eq!(attributes, [json!(true), json!(true), json!("Strict"), json!("/")], "{cookie}");
    assert!(!cookie.to_string().contains(access.secret().unwrap()), "the cookie has the key");

    page.fill("#payload", "{\"words\": \"from afar\"}");
    page.press("Submit");
    page.until("the page of the job opens", || page.path().strip_prefix("/jobs/").map(drop));
    page.wait_for_text("completed");
    page.wait_for_text("from afar");

    page.press("Sign out");
    page.wait_for_path("/login");
    assert_eq!(page.cookie(COOKIE), None);
    page.goto("/jobs");
    page.wait_for_path("/login?next=/jobs");
    // The start page of the browser complains about the missing Internet.
    page.assert_clean_except(&["chrome://new-tab-page"]);
}

#[test]
fn a_user_on_the_other_host_signs_in_submits_a_job_and_signs_out() {
    let Some(hosts) = Hosts::new() else { return };
    let (server, access) = start_with_key(&hosts);
    assert_a_user_works_with_the_pages(&hosts, &format!("https://{}", server.addr()), &access);
}

#[test]
fn a_browser_that_does_not_trust_the_certificate_shows_no_page() {
    let Some(hosts) = Hosts::new() else { return };
    let (server, _) = start_with_key(&hosts);
    let trust = format!("--ignore-certificate-errors-spki-list={}", public_key_hash("second"));
    let host = BrowserHost::namespace(hosts.client_namespace(), vec![trust]);
    let Some(page) = Page::blank_on(&host, &format!("https://{}", server.addr())) else { return };
    page.goto("/login");
    page.wait_for_text("NET::ERR_CERT_AUTHORITY_INVALID");
    assert_eq!(page.count("#key"), 0);
}
