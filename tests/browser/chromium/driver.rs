//! A browser process that is controlled by WebDriver (JSON over HTTP).
//!
//! The protocol is small enough for the plain HTTP client of the other tests. A WebDriver library would
//! add an async runtime and further dependencies.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Condvar, Mutex};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::host::BrowserHost;
use crate::kit::{Connection, skip};

/// Maximum number of browsers that run at once, for any number of test threads.
const MAX_BROWSERS: usize = 3;

/// Command-line flags of the browser. With them it also runs as root in a container with little shared
/// memory, and renders the same everywhere.
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

/// Number of running browsers, and the condition variable that is notified when one ends.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A permit to run a browser.
struct BrowserPermit;

impl BrowserPermit {
    fn acquire() -> Self {
        let (running, ended) = &RUNNING;
        let is_full = |running: &mut usize| *running >= MAX_BROWSERS;
        *ended.wait_while(running.lock().unwrap(), is_full).unwrap() += 1;
        Self
    }
}

impl Drop for BrowserPermit {
    fn drop(&mut self) {
        let (running, ended) = &RUNNING;
        *running.lock().unwrap() -= 1;
        ended.notify_one();
    }
}

/// A browser with one window. Dropping it ends the browser, also after a panic.
pub(crate) struct Driver {
    process: Child,
    connection: Mutex<Connection>,
    session: String,
    // Dropped after the process, which writes to this folder.
    _profile: TempDir,
    _permit: BrowserPermit,
}

impl Driver {
    /// Starts a browser on a host. Returns `None` if this machine has none; the test is then skipped.
    pub(crate) fn start(host: &BrowserHost) -> Option<Self> {
        let (Some(browser), Some(_)) = (find_program("chromium"), find_program("chromedriver"))
        else {
            skip("chromium and chromedriver are not installed");
            return None;
        };
        let permit = BrowserPermit::acquire();
        let profile = tempfile::tempdir().unwrap();
        let (process, port) = spawn(host, profile.path());
        let (connection, session) = (Mutex::new(host.connect(port)), String::new());
        let mut driver = Self { process, connection, session, _profile: profile, _permit: permit };
        let profile = format!("--user-data-dir={}", driver._profile.path().display());
        let flags: Vec<&str> =
            FLAGS.into_iter().chain(host.flags()).chain([profile.as_str()]).collect();
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": browser, "args": flags},
        }}});
        let session = driver
            .send("POST", "/session", &capabilities)
            .unwrap_or_else(|error| panic!("{error}"));
        driver.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(driver)
    }

    /// Sends a `GET` command of the session.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        self.send("GET", &format!("/session/{}{path}", self.session), &Value::Null)
    }

    /// Sends a `POST` command of the session.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// Sends a command of the Chrome DevTools Protocol, for features that WebDriver does not have.
    pub(crate) fn devtools(&self, command: &str, params: &Value) -> Value {
        let body = json!({"cmd": command, "params": params});
        self.post("/goog/cdp/execute", &body).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Returns the entries of a log since it was last read.
    pub(crate) fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({"type": name}));
        let entries = entries.unwrap_or_else(|error| panic!("log {name}: {error}"));
        entries.as_array().unwrap().clone()
    }

    /// Sends a command. Returns its value, or the error code with its message.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json; charset=utf-8")];
        let mut connection = self.connection.lock().unwrap();
        let response = connection.request(method, path, &headers, body.as_bytes()).unwrap();
        let value = response.json()["value"].take();
        if response.status == 200 {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or_default().lines().next();
        Err(format!("{}: {}", value["error"], message.unwrap_or_default()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends the session first, so that the browser can wait for its child processes.
        if let (Ok(mut connection), false) = (self.connection.lock(), self.session.is_empty()) {
            let session = format!("/session/{}", self.session);
            let _ = connection.request("DELETE", &session, &[], b"");
        }
        // The driver and the browser are one process group. Other children of the browser end by
        // themselves when it is gone.
        if let Some(group) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

/// Starts the driver in its own process group. Returns it with the port that it listens on.
fn spawn(host: &BrowserHost, home: &Path) -> (Child, u16) {
    // Another process may take the port between its selection and the `listen` call, so this retries.
    let started = (0..10).find_map(|_| try_spawn(host, home));
    started.expect("chromedriver starts")
}

fn try_spawn(host: &BrowserHost, home: &Path) -> Option<(Child, u16)> {
    let mut command = host.command("chromedriver");
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

/// Returns the path of a program in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
