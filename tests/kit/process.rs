//! The real server process.

pub(crate) mod setup;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::wrapper::wrapped;
use crate::kit::{Connection, Response, Setup, TEST_TIMEOUT, eventually, is_final};

/// Returns a command of the program, without the `LONGSHORE_` variables of the environment.
pub(crate) fn longshore(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("LONGSHORE_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Starts a server and returns its process and address, or returns why it did not start.
fn spawn(setup: &Setup, log: &Arc<Mutex<String>>) -> Result<(Child, SocketAddr), String> {
    let mut command = setup.command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let sink = Arc::clone(log);
    let logging = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = sink.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ");
    let addr = url.and_then(|url| url.strip_prefix("http://").or(url.strip_prefix("https://")));
    let Some(addr) = addr else {
        let status = child.wait().unwrap();
        // The log is complete after the process has closed its stderr.
        let _ = logging.join();
        return Err(format!("the server did not start, {status}: {line}{}", log.lock().unwrap()));
    };
    let addr = addr.parse().unwrap();
    std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    Ok((child, addr))
}

/// Server process. Dropping it kills the process, and prints its log if the test has failed.
pub(crate) struct Server {
    setup: Setup,
    child: Child,
    addr: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts the server of a setup and waits until it listens.
    pub(super) fn of(setup: Setup) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let (child, addr) = spawn(&setup, &log).unwrap_or_else(|why| panic!("{why}"));
        Self { setup, child, addr, log }
    }

    /// Starts a server without any configuration.
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn database(&self) -> &Path {
        &self.setup.database
    }

    /// Returns a directory that is removed with the server.
    pub(crate) fn directory(&self) -> &Path {
        self.setup.directory.path()
    }

    /// Returns the log of all starts so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the server with SIGSTOP, and returns whether a call to the disk is in progress.
    ///
    /// After the first thread has stopped, every other thread stops at the end of its current system
    /// call at the latest, before it can act on the return value.
    pub(crate) fn freeze(&self) -> bool {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let started = Instant::now();
        while started.elapsed() < TEST_TIMEOUT {
            let states = self.thread_states();
            if states.iter().any(|state| matches!(state, 'T' | 't')) {
                return states.contains(&'D');
            }
            // A sleep would be too long, because the call in progress could end.
            std::thread::yield_now();
        }
        panic!("the server does not stop");
    }

    /// Returns the state letter of each thread from `/proc`.
    fn thread_states(&self) -> Vec<char> {
        let threads = format!("/proc/{}/task", self.child.id());
        let state = |thread: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
        };
        std::fs::read_dir(threads).unwrap().map_while(Result::ok).filter_map(state).collect()
    }

    /// Sends SIGTERM, so that the server drains and exits.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits until the process has exited, and returns its status.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// Waits for at most `timeout` until the process has exited. Returns `None` if it still runs.
    pub(crate) fn exits_within(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < timeout {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Starts the server again on the same database, at another address.
    pub(crate) fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Starts the server again at the same address, for clients that keep using it.
    pub(crate) fn restart_at_same_address(&mut self) {
        self.setup.listen = self.addr;
        self.restart();
    }

    /// Starts the server again, or returns why it does not start.
    pub(crate) fn try_restart(&mut self) -> Result<(), String> {
        (self.child, self.addr) = spawn(&self.setup, &self.log)?;
        Ok(())
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr).unwrap()
    }

    /// Sends a request on a new connection.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.connect().request(method, path, headers, body).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.post_with(path, &[], body)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.request("POST", path, &headers, body.to_string().as_bytes())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Response {
        let headers = [("content-type", "application/json")];
        self.request("PATCH", path, &headers, body.to_string().as_bytes())
    }

    /// Sends a `POST` without a body.
    pub(crate) fn post_empty(&self, path: &str) -> Response {
        self.request("POST", path, &[], b"")
    }

    /// Submits a job and returns its id.
    pub(crate) fn submit(&self, job: &Value) -> i64 {
        self.post("/v1/jobs", job).expect(202)["id"].as_i64().unwrap()
    }

    /// Returns the current state of a job.
    pub(crate) fn job(&self, id: i64) -> Value {
        self.get(&format!("/v1/jobs/{id}")).expect(200)
    }

    /// Returns every job with its result, by id.
    pub(crate) fn all_jobs(&self) -> BTreeMap<i64, Value> {
        let (mut jobs, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/jobs?include=result&limit=200{cursor}")).expect(200);
            for job in page["jobs"].as_array().unwrap() {
                jobs.insert(job["id"].as_i64().unwrap(), job.clone());
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return jobs,
            }
        }
    }

    /// Waits until a job is final, and returns it.
    pub(crate) fn wait_until_final(&self, id: i64) -> Value {
        let started = Instant::now();
        while started.elapsed() < 2 * TEST_TIMEOUT {
            let job = self.get(&format!("/v1/jobs/{id}?wait=30s")).expect(200);
            if is_final(&job) {
                return job;
            }
        }
        panic!("job {id} does not end: {}", self.job(id));
    }

    /// Waits until a job is in this state, and returns it.
    pub(crate) fn wait_for_state(&self, id: i64, state: &str) -> Value {
        eventually(&format!("job {id} is {state}"), || {
            let job = self.job(id);
            (job["state"] == state).then_some(job)
        })
    }

    /// Submits a job, waits until it is final, and returns it.
    pub(crate) fn run(&self, job: &Value) -> Value {
        self.wait_until_final(self.submit(job))
    }

    /// Returns the current state of a queue.
    pub(crate) fn queue(&self, name: &str) -> Value {
        self.get(&format!("/v1/queues/{name}")).expect(200)
    }

    /// Asserts that the server answers and that its process has not exited.
    pub(crate) fn assert_healthy(&mut self) {
        assert_eq!(self.get("/healthz").status, 200);
        assert_eq!(self.child.try_wait().unwrap(), None);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}--- end of the log", self.log());
        }
    }
}
