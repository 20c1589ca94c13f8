//! The fixture for pytest in docs/CLI.md, and the line that it reads.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::kit::process::longshore;
use crate::kit::skip;

/// A stand-in for pytest that runs a fixture and one test, so that no package is needed.
const RUNNER: &str = r#"
import json, pathlib, sys, tempfile, types, urllib.request

pytest = types.ModuleType("pytest")
pytest.fixture = lambda scope: lambda function: function
sys.modules["pytest"] = pytest
import conftest

class Factory:
    def mktemp(self, name):
        return pathlib.Path(tempfile.mkdtemp(prefix=name, dir=sys.argv[1]))

fixture = conftest.longshore_url(Factory())
url = next(fixture)
body = json.dumps({"kind": "echo", "payload": 7}).encode()
headers = {"content-type": "application/json"}
request = urllib.request.Request(url + "/v1/jobs?wait=20", body, headers)
with urllib.request.urlopen(request, timeout=30) as answer:
    print(answer.status, json.load(answer)["result"])
assert next(fixture, None) is None
try:
    urllib.request.urlopen(url, timeout=5)
except urllib.error.URLError:
    print("stopped")
"#;

#[test]
fn the_fixture_in_the_documents_starts_and_stops_a_server() {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return skip("python3 is not installed");
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CLI.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, fixture) = page.split_once("```python\n").unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("conftest.py"), fixture.split("```").next().unwrap())
        .unwrap();
    std::fs::write(directory.path().join("runner.py"), RUNNER).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_longshore")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("python3")
        .arg(directory.path().join("runner.py"))
        .arg(directory.path())
        .env("PATH", format!("{}:{path}", program.display()))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "200 7\nstopped\n", "{stderr}");
}

#[test]
fn the_address_is_the_only_line_on_stdout_and_accepts_connections() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("jobs.db").display().to_string();
    let mut command =
        longshore(&["serve", "--listen", "127.0.0.1:0", "--database", &database, "--log", "trace"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().strip_suffix('\n').unwrap();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{line}");
    TcpStream::connect(address).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(rest, "");
}

#[test]
fn a_server_that_cannot_start_prints_no_address_and_fails() {
    let command = ["serve", "--listen", "127.0.0.1:0", "--database", "/nonexistent/jobs.db"];
    let output = longshore(&command).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(!output.stderr.is_empty());
}
