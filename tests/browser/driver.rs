//! A browser process, driven by WebDriver: JSON over HTTP, and nothing more.
//!
//! WebDriver is small enough to be spoken over the sockets that the other tests use; a library for
//! it would bring an async runtime, and more libraries to name its own types.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{Connection, skip};

/// How many browsers run at once, whatever the number of threads that tests have.
const MAX_BROWSERS: usize = 3;

/// What the browser is told at its start. It runs as root in a container as well, on little shared
/// memory, and looks the same everywhere.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
];

/// How many browsers run, and the bell for when one has ended.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// The right to run a browser.
struct Turn;

impl Turn {
    fn take() -> Self {
        let (running, ended) = &RUNNING;
        let is_full = |running: &mut usize| *running >= MAX_BROWSERS;
        *ended.wait_while(running.lock().unwrap(), is_full).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (running, ended) = &RUNNING;
        *running.lock().unwrap() -= 1;
        ended.notify_one();
    }
}

/// A browser with one window. It ends when this is dropped, after a panic as well.
pub(crate) struct Driver {
    process: Child,
    connection: Mutex<Connection>,
    session: String,
    // After the process, which writes there.
    _profile: TempDir,
    _turn: Turn,
}

impl Driver {
    /// Starts one; none where there is no browser on this machine, and then the test is left out.
    pub(crate) fn start() -> Option<Self> {
        let (Some(browser), Some(_)) = (find_program("chromium"), find_program("chromedriver"))
        else {
            skip("it takes chromium and chromedriver");
            return None;
        };
        let turn = Turn::take();
        let profile = tempfile::tempdir().unwrap();
        let (process, port) = spawn(profile.path());
        let connection = Connection::open(([127, 0, 0, 1], port).into()).unwrap();
        let (connection, session) = (Mutex::new(connection), String::new());
        let mut driver = Self { process, connection, session, _profile: profile, _turn: turn };
        let profile = format!("--user-data-dir={}", driver._profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": browser, "args": flags},
        }}});
        let session =
            driver.send("POST", "/session", &wanted).unwrap_or_else(|why| panic!("{why}"));
        driver.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(driver)
    }

    /// A command of the session that only asks.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        self.send("GET", &format!("/session/{}{path}", self.session), &Value::Null)
    }

    /// A command of the session.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// A command of the Chrome DevTools Protocol, for what WebDriver has none.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        let body = json!({"cmd": command, "params": params});
        self.post("/goog/cdp/execute", &body).unwrap_or_else(|why| panic!("{command}: {why}"))
    }

    /// What has come to this log since it was read last.
    pub(crate) fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({"type": name}));
        let entries = entries.unwrap_or_else(|why| panic!("log {name}: {why}"));
        entries.as_array().unwrap().clone()
    }

    /// Sends a command and gives its value, or the error with its message.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json; charset=utf-8")];
        let mut connection = self.connection.lock().unwrap();
        let answer = connection.request(method, path, &headers, body.as_bytes()).unwrap();
        let value = answer.json()["value"].take();
        if answer.status == 200 {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or_default().lines().next();
        Err(format!("{}: {}", value["error"], message.unwrap_or_default()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // So that each process of the browser is awaited by the one that began it.
        if let (Ok(mut connection), false) = (self.connection.lock(), self.session.is_empty()) {
            let session = format!("/session/{}", self.session);
            let _ = connection.request("DELETE", &session, &[], b"");
        }
        // The driver and the browser are one group of processes; to the browser's own children it
        // is as if it had crashed, and they end.
        if let Some(group) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

/// Starts the driver in a group of its own, and gives the port that it took.
fn spawn(home: &Path) -> (Child, u16) {
    // Now and then the port that it chose is taken when it comes to listen there.
    let started = (0..10).find_map(|_| try_spawn(home));
    started.expect("chromedriver starts")
}

fn try_spawn(home: &Path) -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").env("HOME", home).env("TMPDIR", home).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            let port = port.trim().trim_end_matches('.').parse().unwrap();
            std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
            return Some((process, port));
        }
        line.clear();
    }
    process.wait().unwrap();
    None
}

/// Where a program stands.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
