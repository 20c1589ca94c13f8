//! Keys of providers and secrets of the configuration reach the hosts they are for, and nothing else.

use std::sync::{Arc, Mutex};

use longshore::api::routes::pages::PAGES;
use longshore::api::routes::{Method, ROUTES};
use serde_json::{Value, json};

use crate::keys::secrets::traces::Traces;
use crate::kit::http::{Request, Target};
use crate::kit::process::longshore;
use crate::kit::{Server, Setup, pointers};

/// The key of the provider, whose header has a harmless name.
const KEY: &str = "provider-key-7f3a/9b2c+11d0";
/// The secret that jobs name. Lowercase, so that it could be the name of a header.
const SECRET: &str = "slack-token-51c2e8a94d0b77f6";

/// A server of another company, which records what it receives.
struct Upstream {
    target: Target,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Upstream {
    /// Starts a server that answers a request, whose credential is given, with a status, headers and a body.
    fn start(
        answer: impl Fn(&Request, &str) -> (String, String, String) + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let target = Target::start(move |caller, request| {
            seen.lock().unwrap().push(request.clone());
            let credential = request.header("x-id").unwrap_or("none");
            let (status, headers, body) = answer(&request, credential);
            caller.answer(&status, &headers, &body);
        });
        Self { target, requests }
    }

    /// Starts a server that repeats the credential wherever it can, with the status that the call names.
    fn hostile() -> Self {
        Self::start(|request, credential| {
            // A chat-completions call names the status as its model.
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let last = request.path.rsplit('/').next().unwrap();
            let status = body["model"].as_str().unwrap_or(last).to_owned();
            let word = credential.rsplit(' ').next().unwrap();
            let quoted = format!("{credential:?}");
            // Names of headers allow fewer characters than their values.
            let name = word.replace(['/', '+'], "-");
            let headers = format!(
                "content-type: application/json\r\nx-echo: {credential}\r\nx-{name}: 1\r\n\
                 x-request-id: {word}\r\nlocation: http://127.0.0.1:1/{word}?a={word}\r\n"
            );
            let coding = if status == "299" { word } else { "identity" };
            let headers = format!("{headers}content-encoding: {coding}\r\n");
            let body = format!(
                r#"{{"error": {{"message": {quoted}, "code": "insufficient_quota {word}"}}, "x": "{word}"}}"#
            );
            (format!("{status} {word}"), headers, body)
        })
    }

    /// Returns the values of a header in all requests so far.
    fn received(&self, name: &str) -> Vec<Option<String>> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| request.header(name).map(str::to_owned)).collect()
    }

    /// Returns the configuration of the provider `one` at this server, and of the secret `slack` for it.
    fn config(&self) -> String {
        format!(
            "[providers.one]\nbase_url = '{url}/v1'\n\
             auth = {{ header = 'X-Id', prefix = 'id ', value_env = 'ONE_KEY' }}\n\
             [secrets.slack]\nvalue_env = 'SLACK_TOKEN'\nhosts = ['{url}']\n",
            url = self.target.url("")
        )
    }
}

fn setup(config: impl Into<String>) -> Setup {
    let config = format!("jobs.max_attempts = 1\n{}", config.into());
    Setup::new().config(config).env("ONE_KEY", KEY).env("SLACK_TOKEN", SECRET)
}

/// Returns a job that sends the secret in a header with a harmless name.
fn with_secret(url: &str) -> Value {
    json!({"kind": "http", "payload": {"url": url, "headers": {"X-Id": "Bearer ${secret:slack}"}}})
}

fn by_provider(path: &str) -> Value {
    json!({"kind": "http", "payload": {"provider": "one", "path": path}})
}

#[test]
fn a_secret_is_filled_in_for_its_host_and_refused_for_every_other() {
    let ok = |_: &Request, _: &str| ("200 OK".to_owned(), String::new(), String::new());
    let (upstream, other) = (Upstream::start(ok), Upstream::start(ok));
    let server = setup(upstream.config()).start();
    let url = upstream.target.url("/hook");
    let job = server.run(&with_secret(&url));
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(job["payload"]["headers"]["X-Id"], "Bearer ${secret:slack}");
    assert_eq!(upstream.received("x-id"), [Some(format!("Bearer {SECRET}"))]);
    let unknown = with_secret(&url).to_string().replace("slack}", "slick}");
    let unknown = server.post("/v1/jobs", &serde_json::from_str(&unknown).unwrap());
    let detail = unknown.problem(422).replace("slick", "slack");
    for url in [other.target.url("/hook"), url.replace("127.0.0.1", "localhost")] {
        let refused = server.post("/v1/jobs", &with_secret(&url));
        assert_eq!(refused.problem(422), detail, "{url}");
        assert_eq!(pointers(&refused), ["/payload/headers/X-Id"]);
    }
    assert!(other.received("x-id").is_empty());
}

#[test]
fn a_secret_that_is_no_longer_bound_to_the_host_fails_the_job_before_it_is_sent() {
    let upstream = Upstream::start(|_, _| ("200 OK".into(), String::new(), String::new()));
    let mut old = setup(upstream.config()).start();
    old.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let id = old.submit(&with_secret(&upstream.target.url("/hook")));
    old.kill();
    let config =
        upstream.config().replace("hosts = ['http://127.0.0.1:", "hosts = ['http://127.0.0.2:");
    let new = setup(config).database(old.database()).start();
    new.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    let job = new.wait_until_final(id);
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("bad_payload")));
    assert!(job["error"]["message"].as_str().unwrap().contains("not available for this host"));
    assert!(upstream.received("x-id").is_empty());
}

#[test]
fn a_host_to_which_a_call_is_redirected_gets_nothing() {
    let other = Upstream::start(|_, _| ("200 OK".into(), String::new(), String::new()));
    for status in ["301 X", "302 X", "303 X", "307 X", "308 X"] {
        let location = format!("location: {}\r\n", other.target.url("/steal"));
        let upstream =
            Upstream::start(move |_, _| (status.into(), location.clone(), String::new()));
        let server = setup(upstream.config()).start();
        for job in [with_secret(&upstream.target.url("/hook")), by_provider("/a")] {
            assert_eq!(server.run(&job)["error"]["code"], "http_status", "{status}");
        }
        assert_eq!(upstream.received("x-id").len(), 2);
    }
    assert!(other.received("x-id").is_empty());
}

/// Runs jobs whose secrets the other server repeats in every way, and returns their ids.
fn run_jobs(server: &Server, upstream: &Upstream) -> Vec<i64> {
    let statuses = [400, 401, 404, 429, 500, 302];
    let by_url = statuses.map(|status| with_secret(&upstream.target.url(&format!("/{status}"))));
    let by_provider = statuses.map(|status| by_provider(&format!("/{status}")));
    let mut jobs = by_url.to_vec();
    jobs.extend(by_provider);
    let messages = json!([{"role": "user", "content": "?"}]);
    jobs.extend(
        ["200", "299", "401", "429", "503"].map(
            |status| json!({"kind": "chat", "payload": {"model": status, "messages": messages}}),
        ),
    );
    jobs.iter()
        .map(|job| {
            let id = server.submit(job);
            assert_eq!(server.wait_until_final(id)["state"], "failed", "{job}");
            id
        })
        .collect()
}

/// Adds every answer of the API, every page and the output of commands to the traces.
fn read_everything(server: &Server, ids: &[i64], traces: &mut Traces) {
    let api = ROUTES.iter().map(|route| (route.method, route.path));
    let pages = PAGES.iter().map(|page| (page.method, page.path));
    let paths = api
        .chain(pages)
        .filter(|(method, path)| *method == Method::Get && !path.ends_with("/events"));
    for (_, path) in paths {
        let accept = if path.starts_with("/v1/") { "*/*" } else { "text/html" };
        let name = if path.contains("providers") { "one" } else { "default" };
        for id in ids {
            let path = path.replace("{id}", &id.to_string()).replace("{name}", name);
            let answer = server.request("GET", &path, &[("accept", accept)], b"");
            traces.add(format!("the answer to {path}"), format!("{answer:?}"));
            traces.add(format!("the body of {path}"), answer.body);
        }
    }
    for args in
        [&["providers"][..], &["providers", "--json"], &["list", "--json"], &["status", "1"]]
    {
        let output = longshore(args).env("LONGSHORE_URL", server.url()).output().unwrap();
        traces.add(format!("the output of {args:?}"), [output.stdout, output.stderr].concat());
    }
}

#[test]
fn a_credential_that_a_hostile_server_repeats_is_found_nowhere() {
    let upstream = Upstream::hostile();
    let mut server = setup(upstream.config()).env("LONGSHORE_LOG", "trace").start();
    let mut traces = Traces::default();
    traces.hide("the key of the provider", KEY);
    traces.hide("the secret", SECRET);
    let ids = run_jobs(&server, &upstream);
    // The server did receive them.
    let received = upstream.received("x-id");
    assert!(received.contains(&Some(format!("id {KEY}"))), "{received:?}");
    assert!(received.contains(&Some(format!("Bearer {SECRET}"))), "{received:?}");
    read_everything(&server, &ids, &mut traces);
    let directory = server.directory().to_owned();
    traces.add_files("while the server runs", &directory, &[]);
    server.terminate();
    server.wait_for_exit();
    traces.add_files("after the end", &directory, &[]);
    let log = server.log();
    assert!(log.contains("TRACE"), "the log has no line at level trace");
    log.lines().for_each(|line| traces.add(format!("the log: {line}"), line));
    let (places, bytes) = traces.size();
    assert!(places > 500 && bytes > 100_000, "{places} places, {bytes} bytes");
    let found = traces.found();
    assert!(found.is_empty(), "{} are shown:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_result_has_no_credential_in_its_headers() {
    let upstream = Upstream::hostile();
    let server = setup(upstream.config()).start();
    let by_url = with_secret(&upstream.target.url("/200"));
    for (job, credential) in [(by_url, SECRET), (by_provider("/200"), KEY)] {
        let job = server.run(&job);
        assert_eq!(job["state"], "completed", "{job}");
        let headers = &job["result"]["headers"];
        assert_eq!(headers["x-request-id"], "(secret)");
        assert!(!headers.to_string().contains(credential), "{headers}");
        // The body is the result, and kept as it is.
        assert_eq!(job["result"]["body"]["x"], credential);
    }
}
