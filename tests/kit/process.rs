//! The real server process.

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

use crate::kit::{Connection, LONG, Response, eventually};

/// The program with nothing of the environment's configuration.
pub(crate) fn longshore(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("LONGSHORE_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// How a server is to be started.
pub(crate) struct Setup {
    directory: Arc<TempDir>,
    database: PathBuf,
    config: String,
    env: Vec<(String, String)>,
    options: Vec<String>,
    /// With port 0, a free one.
    listen: SocketAddr,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let database = directory.path().join("longshore.db");
        let (config, env, options) = (String::new(), Vec::new(), Vec::new());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { directory, database, config, env, options, listen }
    }

    /// With this configuration, in TOML.
    pub(crate) fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = toml.into();
        self
    }

    /// With this variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With this option of `serve`.
    pub(crate) fn option(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// With its database elsewhere.
    pub(crate) fn database(mut self, path: impl Into<PathBuf>) -> Self {
        self.database = path.into();
        self
    }

    /// A directory that goes with the server.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The command that starts the server.
    pub(crate) fn command(&self) -> Command {
        let config = self.directory.path().join("longshore.toml");
        std::fs::write(&config, &self.config).unwrap();
        let mut command = longshore(&["serve", "--listen", &self.listen.to_string()]);
        command.arg("--config").arg(config).arg("--database").arg(&self.database);
        command.args(&self.options);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Server {
        let log = Arc::new(Mutex::new(String::new()));
        let (child, addr) = spawn(&self, &log).unwrap_or_else(|why| panic!("{why}"));
        Server { setup: self, child, addr, log }
    }

    /// Runs it to its end, which comes at once because it cannot start.
    pub(crate) fn fail(&self) -> Output {
        let mut command = self.command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() && began.elapsed() < LONG {
            std::thread::sleep(Duration::from_millis(10));
        }
        // One that serves after all has ended neither well nor by itself.
        let _ = child.kill();
        child.wait_with_output().unwrap()
    }
}

/// Starts a server and reads where it listens, or why it does not.
fn spawn(setup: &Setup, log: &Arc<Mutex<String>>) -> Result<(Child, SocketAddr), String> {
    let mut command = setup.command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let kept = Arc::clone(log);
    let logging = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let Some(addr) = line.trim().strip_prefix("listening on http://") else {
        let status = child.wait().unwrap();
        // All of it is there once the other end is closed.
        let _ = logging.join();
        return Err(format!("the server did not start, {status}: {line}{}", log.lock().unwrap()));
    };
    let addr = addr.parse().unwrap();
    std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    Ok((child, addr))
}

/// A server process. It is killed when this is dropped; where the test fails, its log is printed.
pub(crate) struct Server {
    setup: Setup,
    child: Child,
    addr: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// A server as it is without any configuration.
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

    /// A directory that goes with the server.
    pub(crate) fn directory(&self) -> &Path {
        self.setup.directory.path()
    }

    /// What it has logged so far, over all its starts.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it as a power cut of the process would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it where it stands, as a machine without power does, and tells whether a call to the
    /// disk is under way. The first thread that stops tells all others to: none of them goes further
    /// than the call that it is in, and none hears of how that ended.
    pub(crate) fn freeze(&self) -> bool {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let began = Instant::now();
        while began.elapsed() < LONG {
            let states = self.thread_states();
            if states.iter().any(|state| matches!(state, 'T' | 't')) {
                return states.contains(&'D');
            }
            // No longer, so that what was under way still is.
            std::thread::yield_now();
        }
        panic!("the server does not stop");
    }

    /// What its threads do, by the letters of `/proc`.
    fn thread_states(&self) -> Vec<char> {
        let threads = format!("/proc/{}/task", self.child.id());
        let state = |thread: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
        };
        std::fs::read_dir(threads).unwrap().map_while(Result::ok).filter_map(state).collect()
    }

    /// Tells it to drain.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().unwrap())
    }

    /// How it has ended, if it does so within a while.
    pub(crate) fn ends_within(&mut self, span: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < span {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Starts it again on the same database, at another address.
    pub(crate) fn start_again(&mut self) {
        self.try_start_again().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Starts it again where it was, for those who call it by its address.
    pub(crate) fn start_again_there(&mut self) {
        self.setup.listen = self.addr;
        self.start_again();
    }

    /// Starts it again, or tells why it does not start.
    pub(crate) fn try_start_again(&mut self) -> Result<(), String> {
        (self.child, self.addr) = spawn(&self.setup, &self.log)?;
        Ok(())
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr).unwrap()
    }

    /// One request on a connection of its own.
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

    /// Does a thing to something: `POST` without a body.
    pub(crate) fn post_empty(&self, path: &str) -> Response {
        self.request("POST", path, &[], b"")
    }

    /// Submits a job and gives its id.
    pub(crate) fn submit(&self, job: &Value) -> i64 {
        self.post("/v1/jobs", job).expect(202)["id"].as_i64().unwrap()
    }

    /// A job as it stands.
    pub(crate) fn job(&self, id: i64) -> Value {
        self.get(&format!("/v1/jobs/{id}")).expect(200)
    }

    /// Every job that it has with its result, by id.
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

    /// A job once it is final.
    pub(crate) fn finished(&self, id: i64) -> Value {
        let began = Instant::now();
        while began.elapsed() < 2 * LONG {
            let job = self.get(&format!("/v1/jobs/{id}?wait=30s")).expect(200);
            if is_final(&job) {
                return job;
            }
        }
        panic!("job {id} does not end: {}", self.job(id));
    }

    /// A job once it is in this state.
    pub(crate) fn reaches(&self, id: i64, state: &str) -> Value {
        eventually(&format!("job {id} is {state}"), || {
            let job = self.job(id);
            (job["state"] == state).then_some(job)
        })
    }

    /// Submits a job and gives it once it is final.
    pub(crate) fn run(&self, job: &Value) -> Value {
        self.finished(self.submit(job))
    }

    /// A queue as it stands.
    pub(crate) fn queue(&self, name: &str) -> Value {
        self.get(&format!("/v1/queues/{name}")).expect(200)
    }

    /// Checks that the server is well: it answers, and its process has not died meanwhile.
    pub(crate) fn is_well(&mut self) {
        assert_eq!(self.get("/healthz").status, 200);
        assert_eq!(self.child.try_wait().unwrap(), None);
    }
}

/// Whether a job has ended.
pub(crate) fn is_final(job: &Value) -> bool {
    matches!(job["state"].as_str(), Some("completed" | "failed" | "cancelled"))
}

/// A span of job JSON's times, from RFC 3339.
pub(crate) fn between(from: &Value, to: &Value) -> Duration {
    let time = |value: &Value| -> longshore::job::Timestamp {
        value.as_str().unwrap_or_else(|| panic!("no time: {value}")).parse().unwrap()
    };
    time(to).since(time(from))
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}--- end of the log", self.log());
        }
    }
}
