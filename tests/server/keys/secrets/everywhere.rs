//! Every secret of a server is searched wherever a secret could get to.
//!
//! The environment and the arguments of a process (`/proc/PID/environ`, `/proc/PID/cmdline`) are left out: they
//! belong to the user who has started it, with the secret in them.

use std::path::Path;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Binary;
use diesel::sqlite::SqliteConnection;
use longshore::api::routes::pages::PAGES;
use longshore::api::routes::{Method, ROUTES};
use longshore::auth::key_id::KeyId;
use longshore::auth::secret::KeySecret;
use longshore::auth::token::{Claims, Signer, Subject};
use longshore::clock::Clock;
use serde_json::json;

use super::traces::Traces;
use crate::keys::{Key, call, create, damaged, first_key};
use crate::kit::process::longshore;
use crate::kit::{Events, Server, Setup, echo};

/// Texts that somebody sends as a key by mistake, such as a password.
const WRONG: [&str; 2] =
    ["hunter2-correct-horse-battery", "ls_correcthorsebatterystaplecorrecthorse"];

/// A server that logs everything, with all of its secrets.
struct Secrets {
    server: Server,
    first: Key,
    app: Key,
    token: String,
    /// Session of a user who has signed in.
    cookie: String,
    /// Value of a webhook secret.
    webhook: String,
    traces: Traces,
}

impl Secrets {
    fn start(setup: Setup, config: &str, first: &str) -> Self {
        let setup = setup.env("LONGSHORE_LOG", "trace").config(format!(
            "allow_origins = ['https://app.example']\n{config}\n\
             [providers.main]\nbase_url = 'http://127.0.0.1:9/v1'\n"
        ));
        Self::with_secrets(setup.start(), first)
    }

    /// Makes all secrets. The answers that show them are not among the traces.
    fn with_secrets(server: Server, first: &str) -> Self {
        let first = Key { id: 1, secret: first.to_owned() };
        let app = json!({"name": "app", "scopes": ["submit", "read"]});
        let app = create(&server, &first, &app);
        call(&server, &first, "POST", "/v1/jobs", Some(&echo("x"))).expect(202);
        call(&server, &first, "POST", "/v1/batches", Some(&json!({"jobs": [echo(1)]}))).expect(202);
        let token = call(&server, &app, "POST", "/v1/jobs/1/token", None).expect(201);
        let token = token["token"].as_str().unwrap().to_owned();
        let mut traces = Traces::default();
        traces.hide("the first key", &first.secret);
        traces.hide("the key of the application", &app.secret);
        traces.hide("the signature of the token", token.split_once('.').unwrap().1);
        let webhooks = webhook_secrets(&server, &first);
        for (name, value) in
            ["the previous webhook secret", "the webhook secret"].iter().zip(&webhooks)
        {
            traces.hide_webhook_secret(name, value);
        }
        WRONG.iter().for_each(|text| traces.hide("a text that was sent as a key", text));
        let [_, webhook] = webhooks;
        let cookie = String::new();
        let mut secrets = Self { server, first, app, token, cookie, webhook, traces };
        secrets.sign_in();
        secrets
    }

    /// Signs in with the first key, if there is a page for it.
    fn sign_in(&mut self) {
        if !PAGES.iter().any(|page| page.path == "/login") {
            return;
        }
        let answer = self.form("/login", &format!("key={}", self.first.secret));
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap_or_else(|| panic!("{answer}"));
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        self.traces.hide("the signature of the session", self.cookie.split_once('.').unwrap().1);
    }

    /// Sends a form as a page does, and returns the whole answer.
    fn form(&self, path: &str, form: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\norigin: {}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.server.addr(),
            self.server.url(),
            form.len()
        );
        self.raw(&head)
    }

    /// Sends a request and returns the whole answer, with its head.
    fn raw(&self, request: &str) -> String {
        let mut connection = self.server.connect();
        connection.send(request).unwrap();
        String::from_utf8_lossy(&connection.read_to_end()).into_owned()
    }

    /// Sends a request with one header, and keeps the whole answer as a trace.
    fn send(&mut self, method: &str, path: &str, header: &str) {
        let accept = if path.starts_with("/v1/") { "*/*" } else { "text/html" };
        let answer = self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\nconnection: close\r\n\
             {header}\r\n\r\n",
            self.server.addr()
        ));
        let name = header.split(' ').take(2).collect::<Vec<_>>().join(" ");
        self.traces.add(format!("the answer to {method} {path} with {name}"), answer);
    }

    /// Reads every route and page in every way to show a secret.
    fn read_everything(&mut self) {
        let bearer = |secret: &str| format!("authorization: Bearer {secret}");
        let mut headers = vec![bearer(&self.first.secret), bearer(&self.app.secret)];
        headers
            .extend([bearer(&self.token), "authorization: Basic ".to_owned() + &self.first.secret]);
        headers.push(format!("cookie: {}", self.cookie));
        headers.push(bearer(&damaged(&self.app).secret));
        headers.extend(WRONG.map(bearer));
        let api = ROUTES.iter().map(|route| (route.method, route.path));
        let pages = PAGES.iter().map(|page| (page.method, page.path));
        let paths: Vec<String> = api
            .chain(pages)
            .filter(|(method, path)| *method == Method::Get && !path.ends_with("/events"))
            .map(|(_, path)| path.replace("{id}", "1").replace("{name}", "default"))
            .collect();
        for (path, header) in
            paths.iter().flat_map(|path| headers.iter().map(move |header| (path, header)))
        {
            self.send("GET", path, header);
        }
    }

    /// Sends secrets where they do not belong.
    fn misplace_secrets(&mut self) {
        let (app, first, token) =
            (self.app.secret.clone(), self.first.secret.clone(), self.token.clone());
        let own = format!("authorization: Bearer {first}");
        let webhook = self.webhook.clone();
        for secret in [&app, &webhook, WRONG[0]] {
            for path in ["jobs?key", "jobs?cursor", "jobs/1?wait", "keys?x", "webhook-secrets?x"] {
                self.send("GET", &format!("/v1/{path}={secret}"), &own);
            }
            let answer = self.form("/login", &format!("key={secret}x&next=/"));
            self.traces.add("the answer to a wrong key on the page to sign in", answer);
        }
        for secret in [&app, &token, &webhook] {
            self.raw_without_trace(&format!("DELETE /v1/webhook-secrets/{secret}"), &own);
            self.raw_without_trace(&format!("POST /v1/webhook-secrets/{secret}/rotate"), &own);
            self.raw_without_trace(&format!("DELETE /v1/keys/{secret}"), &own);
            self.raw_without_trace(&format!("DELETE /v1/keys/Bearer%20{secret}"), &own);
            self.raw_without_trace(&format!("POST /v1/jobs/{secret}/cancel"), &own);
            self.raw_without_trace(&format!("POST /{secret}"), &own);
            self.raw_without_trace(&format!("POST /queues/{secret}/pause"), &own);
        }
        self.send("GET", &format!("/v1/jobs/1?token={token}"), "x-none: 1");
        self.send("GET", &format!("/v1/jobs/2?token={token}"), "x-none: 1");
        self.send("GET", &format!("/v1/jobs/1?token={token}x"), "origin: https://app.example");
        let path = format!("/v1/jobs/1/events?token={token}");
        drop(Events::open(self.server.connect(), &path, &[]));
        self.send("GET", "/v1/jobs", &format!("{own}\r\nauthorization: Bearer {app}"));
        self.send("GET", "/v1/jobs", &format!("{own}\r\ncookie: longshore_session={app}"));
    }

    /// Sends a request whose own text is a secret. Its answer may repeat it to the sender, but nothing else may.
    fn raw_without_trace(&self, line: &str, header: &str) {
        self.raw(&format!(
            "{line} HTTP/1.1\r\nhost: {}\r\norigin: {}\r\nconnection: close\r\n{header}\r\n\
             content-length: 0\r\n\r\n",
            self.server.addr(),
            self.server.url()
        ));
    }

    /// Runs commands with each key, by variable and by option, also those that fail.
    fn run_commands(&mut self) {
        let url = self.server.url();
        let commands: [&[&str]; 16] = [
            &["list"],
            &["list", "--json"],
            &["status", "1"],
            &["status", "987654"],
            &["status", "1", "--json"],
            &["submit", "echo", "1"],
            &["submit", "echo", "{"],
            &["key", "list"],
            &["key", "list", "--json"],
            &["key", "revoke", "nobody"],
            &["webhook", "secret", "list"],
            &["webhook", "secret", "list", "--json"],
            &["queues"],
            &["open"],
            &["--help"],
            &["serve", "--help"],
        ];
        let secrets = [self.first.secret.clone(), WRONG[0].into(), WRONG[1].into()];
        for (args, secret) in
            commands.iter().flat_map(|args| secrets.iter().map(move |secret| (args, secret)))
        {
            for url in [&*url, "http://127.0.0.1:1", "nonsense"] {
                self.run(args, url, secret);
            }
        }
    }

    /// Runs a command with a key in the environment, and with the key as an option.
    fn run(&mut self, args: &[&str], url: &str, secret: &str) {
        let mut by_variable = longshore(args);
        by_variable.env("LONGSHORE_KEY", secret).env("LONGSHORE_FIRST_KEY", secret);
        let mut by_option = longshore(&[args, &["--key", secret]].concat());
        for command in [&mut by_variable, &mut by_option] {
            let output =
                command.env("LONGSHORE_URL", url).env("LONGSHORE_LOG", "trace").output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            self.traces.add(format!("the output of {} to {url}", args.join(" ")), text);
        }
    }

    /// Searches everything.
    fn assert_hidden(mut self) {
        let (server, except) = (&mut self.server, ["first.key"]);
        let directory = server.directory().to_owned();
        self.traces.add_files("while the server runs", &directory, &except);
        server.terminate();
        server.wait_for_exit();
        self.traces.add_files("after the end", &directory, &except);
        self.traces.assert_stored();
        let log = server.log();
        assert!(log.contains("TRACE"), "the log has no line at level trace");
        log.lines().for_each(|line| self.traces.add(format!("the log: {line}"), line));
        let (places, bytes) = self.traces.size();
        assert!(places > 500 && bytes > 100_000, "{places} places, {bytes} bytes");
        let found = self.traces.found();
        assert!(found.is_empty(), "{} are shown:\n{}", found.len(), found.join("\n"));
    }
}

#[test]
fn no_secret_is_found_anywhere_if_the_first_key_is_in_the_environment() {
    let first = KeySecret::from_random([21; 32]);
    let setup = Setup::new().env("LONGSHORE_FIRST_KEY", first.reveal());
    let mut secrets = Secrets::start(setup, "", first.reveal());
    secrets.read_everything();
    secrets.misplace_secrets();
    secrets.assert_hidden();
}

#[test]
fn no_command_shows_its_key_and_no_server_that_of_a_file() {
    let first = KeySecret::from_random([22; 32]);
    let setup = Setup::new();
    let file = setup.directory().join("first.key");
    std::fs::write(&file, first.reveal()).unwrap();
    let config = format!("first_key_file = '{}'", file.display());
    let mut secrets = Secrets::start(setup, &config, first.reveal());
    secrets.run_commands();
    secrets.assert_hidden();
}

#[test]
fn a_backup_has_no_secret_of_a_key() {
    let first = KeySecret::from_random([23; 32]);
    let setup = Setup::new().env("LONGSHORE_FIRST_KEY", first.reveal());
    let mut secrets = Secrets::start(setup, "", first.reveal());
    secrets.read_everything();
    let (database, copy) =
        (secrets.server.database().to_owned(), secrets.server.directory().join("copy.db"));
    let mut backup = longshore(&["backup"]);
    let output = backup.arg("--database").arg(database).arg(&copy).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::metadata(&copy).unwrap().len() > 0);
    secrets.assert_hidden();
}

/// Creates a webhook secret and rotates it. Returns its previous and its present value.
fn webhook_secrets(server: &Server, by: &Key) -> [String; 2] {
    let create = json!({"name": "shop"});
    let created = call(server, by, "POST", "/v1/webhook-secrets", Some(&create)).expect(201);
    let rotated = call(server, by, "POST", "/v1/webhook-secrets/shop/rotate", None).expect(200);
    [created, rotated].map(|secret| secret["secret"].as_str().unwrap().to_owned())
}

/// Returns the secret with which the server of a database signs tokens and sessions.
fn signing_secret(database: &Path) -> [u8; 32] {
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let select = diesel::dsl::sql::<Binary>("SELECT secret FROM signing_secret");
    let secret: Vec<u8> = select.get_result(&mut connection).unwrap();
    secret.try_into().unwrap()
}

/// Returns the status of a page of an administrator, with a session that is signed with a secret.
fn status_with_forged_session(server: &Server, secret: [u8; 32]) -> u16 {
    let expires_at = Clock::system().now().plus(Duration::from_secs(3_600));
    let claims = Claims { subject: Subject::Session, key: Some(KeyId(1)), expires_at };
    let cookie = format!("longshore_session={}", Signer::new(secret).sign(&claims));
    server.request("GET", "/v1/keys", &[("cookie", &cookie)], b"").status
}

#[test]
fn nobody_can_sign_in_with_what_is_in_a_backup() {
    let server = Server::start();
    first_key(&server);
    let copy = server.directory().join("copy.db");
    let mut backup = longshore(&["backup", "--database"]);
    let output = backup.arg(server.database()).arg(&copy).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (own, of_copy) = (signing_secret(server.database()), signing_secret(&copy));
    // With the secret of the database itself, it would be possible.
    assert_eq!(status_with_forged_session(&server, own), 200);
    assert_eq!(status_with_forged_session(&server, of_copy), 401);
    let bytes = std::fs::read(&copy).unwrap();
    assert!(!bytes.windows(own.len()).any(|part| part == own), "the copy has the secret");
    // The copy can be served, with the keys.
    let copied = Setup::new().database(&copy).start();
    copied.get("/v1/keys").problem(401);
    assert_eq!(status_with_forged_session(&copied, own), 401);
}
