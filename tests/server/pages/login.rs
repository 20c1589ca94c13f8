//! Signing in: the cookie, what it opens, and how it ends.

use std::time::Duration;

use actix_web::App;
use actix_web::test::{TestRequest, call_service, init_service};
use longshore::auth::api_key::NewKey;
use longshore::testing::TestServer;
use longshore::{http, pages};
use serde_json::json;

use super::{ACCEPT_HTML, checked, get_html, send};
use crate::keys::{Key, call, create, first_key};
use crate::kit::{Events, Response, Server, Setup, echo, eventually};

/// A browser that has signed in.
pub(super) struct Session<'a> {
    server: &'a Server,
    pub(super) cookie: String,
}

impl<'a> Session<'a> {
    pub(super) fn open(server: &'a Server, key: &Key) -> Self {
        let response = sign_in(server, &key.secret, "");
        assert_eq!(response.status, 303, "{}", String::from_utf8_lossy(&response.body));
        Self { server, cookie: cookie_of(&response) }
    }

    pub(super) fn get(&self, path: &str) -> Response {
        self.server.request("GET", path, &[("cookie", &self.cookie), ACCEPT_HTML], b"")
    }

    /// Returns the page at a path.
    pub(super) fn page(&self, path: &str) -> String {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
        checked(path, &response)
    }

    pub(super) fn send(&self, path: &str, form: &str) -> Response {
        self.send_from(path, form, &[("origin", &self.server.url())])
    }

    /// Sends a form with the headers by which a browser names the page that it comes from.
    pub(super) fn send_from(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Response {
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&[("cookie", &*self.cookie), form_type, ACCEPT_HTML], headers].concat();
        self.server.request("POST", path, &headers, form.as_bytes())
    }
}

/// Returns the cookie of an answer as the browser sends it.
fn cookie_of(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// Sends the form to sign in.
fn sign_in(server: &Server, secret: &str, next: &str) -> Response {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let form = format!("key={}&next={}", encoded(secret), encoded(next));
    send(server, "/login", &form)
}

pub(super) fn location(response: &Response) -> &str {
    assert_eq!(response.status, 303, "{}", String::from_utf8_lossy(&response.body));
    response.header("location").unwrap()
}

#[test]
fn a_browser_without_a_session_is_sent_to_sign_in_and_a_program_is_refused() {
    let server = Server::start();
    // No key is needed yet.
    assert_eq!(location(&get_html(&server, "/login?next=/jobs")), "/");
    first_key(&server);
    for (path, next) in [
        ("/", "/"),
        ("/jobs?state=failed&tag=a%20b", "/jobs%3Fstate%3Dfailed%26tag%3Da%2520b"),
        ("/nowhere", "/nowhere"),
    ] {
        assert_eq!(location(&get_html(&server, path)), format!("/login?next={next}"));
        server.get(path).problem(401);
    }
    get_html(&server, "/v1/jobs").problem(401);
    get_html(&server, "/v1/nowhere").problem(401);
    let form = send(&server, "/jobs/1/cancel", "");
    assert_eq!(form.status, 401);
    let text = checked("form", &form);
    assert!(text.contains("href=\"/login\"") && !text.contains("href=\"/jobs\""), "{text}");
    let login = checked("/login", &get_html(&server, "/login?next=/jobs"));
    assert!(login.contains("type=\"password\"") && login.contains("autocomplete=\"off\""));
    assert!(login.contains("name=\"next\" value=\"/jobs\""), "{login}");
    // What the pages load is open.
    assert_eq!(server.get("/assets/script.js").status, 200);
}

#[test]
fn a_key_opens_a_session_whose_cookie_no_script_and_no_other_site_can_use() {
    let server = Server::start();
    let ops = first_key(&server);
    let response = sign_in(&server, &format!("  {}\n", ops.secret), "/jobs?state=failed");
    assert_eq!(location(&response), "/jobs?state=failed");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let cookie = response.header("set-cookie").unwrap().to_owned();
    let (value, flags) = cookie.split_once("; ").unwrap();
    assert_eq!(flags, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    assert!(value.starts_with("longshore_session=lt_") && !cookie.contains(&ops.secret[3..30]));
    let session = Session { server: &server, cookie: value.to_owned() };
    for path in ["/", "/jobs", "/queues", "/providers", "/batches", "/submit", "/demo", "/keys"] {
        let text = session.page(path);
        assert!(text.contains(">ops</span>") && text.contains("action=\"/logout\""), "{text}");
    }
    eventually("the log has the line", || server.log().contains("signed in").then_some(()));
    assert!(!server.log().contains(&ops.secret));
    // A header counts more than the cookie.
    let wrong = [("cookie", &*session.cookie), ("authorization", "Bearer x")];
    server.request("GET", "/v1/jobs", &wrong, b"").problem(401);
}

#[test]
fn a_session_ends_with_its_key_and_so_do_its_streams() {
    let server = Server::start();
    let ops = first_key(&server);
    let reader = create(&server, &ops, &json!({"name": "reader", "scopes": ["read"]}));
    let session = Session::open(&server, &reader);
    let cookie = [("cookie", &*session.cookie)];
    let mut events = Events::open(server.connect(), "/v1/events", &cookie);
    events.until_comment();
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", reader.id), None).expect(200);
    events.read_to_end();
    assert_eq!(location(&session.get("/jobs")), "/login?next=/jobs");
    server.request("GET", "/v1/jobs", &cookie, b"").problem(401);
    let short = json!({"name": "short", "scopes": ["read"], "expires_in": "2s"});
    let session = Session::open(&server, &create(&server, &ops, &short));
    eventually("the session ends with the key", || {
        (session.get("/jobs").status == 303).then_some(())
    });
}

#[test]
fn signing_out_removes_the_cookie() {
    let server = Server::start();
    let session = Session::open(&server, &first_key(&server));
    let response = session.send("/logout", "");
    assert_eq!(location(&response), "/login");
    let cookie = response.header("set-cookie").unwrap();
    assert_eq!(cookie, "longshore_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    assert_eq!(session.get("/logout").status, 405);
    let line = eventually("the line in the log", || {
        let log = server.log();
        log.lines().find(|line| line.contains("route=/logout")).map(str::to_owned)
    });
    assert!(line.contains("key=\"1\" key_name=\"ops\""), "{line}");
}

#[test]
fn only_a_session_of_this_server_is_accepted() {
    let server = Server::start();
    let ops = first_key(&server);
    call(&server, &ops, "POST", "/v1/jobs", Some(&echo(1))).expect(202);
    let session = Session::open(&server, &ops);
    let status = |cookie: &str| {
        let headers = [("cookie", cookie), ACCEPT_HTML];
        server.request("GET", "/jobs", &headers, b"").status
    };
    let job_token = call(&server, &ops, "POST", "/v1/jobs/1/token", Some(&json!({})));
    let job_token = job_token.json()["token"].as_str().unwrap_or_default().to_owned();
    assert!(job_token.starts_with("lt_"), "{job_token}");
    for cookie in [
        format!("longshore_session={job_token}"),
        format!("longshore_session={}", ops.secret),
        format!("{}x", session.cookie),
        session.cookie.replace("lt_", "lt_A"),
        session.cookie.replace("longshore_session", "longshore_sessions"),
        "longshore_session=".into(),
        "longshore_session=é".into(),
    ] {
        assert_eq!(status(&cookie), 303, "{cookie}");
    }
    // Another server under the same host name has set a cookie as well.
    assert_eq!(status(&format!("longshore_session=x; a=b; {}", session.cookie)), 200);
    let other = Server::start();
    first_key(&other);
    let headers = [("cookie", &*session.cookie), ACCEPT_HTML];
    assert_eq!(other.request("GET", "/jobs", &headers, b"").status, 303);
}

#[test]
fn a_wrong_key_is_refused_with_one_text_that_does_not_repeat_it() {
    let server = Setup::new().option("--log").option("trace").start();
    let ops = first_key(&server);
    let revoked = create(&server, &ops, &json!({"name": "old", "scopes": ["read"]}));
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", revoked.id), None).expect(200);
    let damaged = format!("{}_", &ops.secret[..51]);
    let markup = "\"><script>alert(1)</script>";
    let mut texts = Vec::new();
    for secret in ["", "x", &damaged, &revoked.secret, markup] {
        let response = sign_in(&server, secret, "/jobs");
        assert_eq!((response.status, response.header("set-cookie")), (401, None), "{secret}");
        texts.push(checked("login", &response));
    }
    assert!(
        texts[0].contains("This key is not valid.") && texts.iter().all(|text| *text == texts[0])
    );
    // A line that is repeated is logged once.
    eventually("the log has the line", || server.log().contains("sign-in refused").then_some(()));
    assert!(!server.log().contains(&ops.secret[3..40]) && !server.log().contains("alert(1)"));
    let worker = create(&server, &ops, &json!({"name": "w", "scopes": ["work"]}));
    let response = sign_in(&server, &worker.secret, "");
    assert_eq!((response.status, response.header("set-cookie")), (403, None));
    assert!(checked("login", &response).contains("no page is open to it"));
}

#[test]
fn an_address_with_too_many_failures_must_wait() {
    let server = Server::start();
    let ops = first_key(&server);
    for _ in 0..10 {
        assert_eq!(sign_in(&server, "x", "").status, 401);
    }
    let response = sign_in(&server, "x", "");
    assert_eq!((response.status, response.header("set-cookie")), (429, None));
    let secs: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&secs), "{secs}");
    // Nobody can keep the owner of a valid key from signing in, or from the API.
    assert_eq!(sign_in(&server, &ops.secret, "").status, 303);
    call(&server, &ops, "GET", "/v1/jobs", None).expect(200);
    assert_eq!(send(&server, "/login", &format!("key={}", "a".repeat(20_000))).status, 413);
}

#[test]
fn after_signing_in_the_browser_stays_on_this_server() {
    let server = Server::start();
    let ops = first_key(&server);
    for next in
        ["/", "/jobs/7", "/jobs?state=failed&tag=//evil.example", "/queues/mail", "/v1/jobs"]
    {
        assert_eq!(location(&sign_in(&server, &ops.secret, next)), next);
    }
    for next in [
        "",
        "//evil.example",
        "///evil.example/jobs",
        "/\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/jobs\r\nX-Evil: 1",
        "https://evil.example/jobs",
        "javascript:alert(1)",
        "jobs",
        "@evil.example",
        ".evil.example",
        "/login?next=/login",
        "/logout",
        "/nowhere",
        "/%2F/evil.example",
    ] {
        assert_eq!(location(&sign_in(&server, &ops.secret, next)), "/", "{next:?}");
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let text = checked(next, &get_html(&server, &format!("/login?next={encoded}")));
        assert!(!text.contains("evil") || next.starts_with("/%2F"), "{next:?}: {text}");
    }
    let shop = create(&server, &ops, &json!({"name": "shop", "scopes": ["submit"]}));
    for (next, expected) in
        [("", "/submit"), ("/jobs", "/submit"), ("/jobs/7", "/jobs/7"), ("/keys", "/submit")]
    {
        assert_eq!(location(&sign_in(&server, &shop.secret, next)), expected, "{next}");
    }
}

#[test]
fn a_link_of_another_site_leads_to_its_page_in_a_second_step() {
    let server = Server::start();
    first_key(&server);
    let link = |site| {
        let headers = [
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ACCEPT_HTML,
        ];
        let response = server.request("GET", "/login?next=/jobs?tag=%22%3E", &headers, b"");
        checked("/login", &response)
    };
    // The browser has not sent the cookie, because it came from elsewhere. It does when it asks again.
    let text = link("cross-site");
    assert!(
        text.contains("<meta http-equiv=\"refresh\" content=\"0; url=/jobs?tag=&#34;&#62;\">"),
        "{text}"
    );
    assert!(!text.contains("type=\"password\""));
    let text = link("same-origin");
    assert!(text.contains("type=\"password\"") && !text.contains("http-equiv=\"refresh\""));
}

#[test]
fn a_page_that_is_asked_for_too_often_says_when_to_try_again() {
    let server = Setup::new().config("[key_limits]\nrequests_per_second = 1").start();
    let session = Session::open(&server, &first_key(&server));
    let refused = eventually("the limit is reached", || {
        let response = session.get("/queues");
        (response.status == 429).then_some(response)
    });
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    checked("/queues", &refused);
}

#[actix_web::test]
async fn a_session_lasts_twelve_hours() {
    let server = TestServer::start(|builder| builder).unwrap();
    let handle = server.handle();
    let ops = handle.create_key(NewKey::admin("ops".parse().unwrap())).await.unwrap().secret;
    let app = App::new().service(http::scope(handle.clone(), pages::routes));
    let app = init_service(app).await;
    let sign_in = TestRequest::post()
        .uri("/login")
        .insert_header(("host", "localhost"))
        .insert_header(("origin", "http://localhost"))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(format!("key={}", ops.reveal()));
    let response = call_service(&app, sign_in.to_request()).await;
    assert_eq!(response.status(), 303);
    let cookie = response.headers().get("set-cookie").unwrap().to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let status = async || {
        let request = TestRequest::get().uri("/jobs").insert_header(("host", "localhost"));
        let request = request.insert_header(("cookie", &*cookie)).insert_header(ACCEPT_HTML);
        call_service(&app, request.to_request()).await.status()
    };
    let almost = Duration::from_millis(12 * 3_600_000 - 1);
    server.advance(almost).await.unwrap();
    assert_eq!(status().await, 200);
    server.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(status().await, 303);
    server.shutdown().await;
}
