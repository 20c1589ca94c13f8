//! Verifies webhooks with a library of another language: the published Python library of Standard Webhooks.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

/// Code with which the script ends if the library refuses the webhook.
const REFUSED: i32 = 3;

/// Returns the Python in which `tests/run` has installed the library.
fn python() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhooks/bin/python")
}

/// Returns whether the library is installed.
pub(crate) fn has_foreign_library() -> bool {
    python().is_file()
}

/// Returns whether the library accepts a webhook: the headers and the body of a request, with the text of the secret
/// that the receiver has. The library compares the time in the headers with that of the machine.
pub(crate) fn verify_with_foreign_library(
    headers: &[(String, String)],
    body: &str,
    secret: &str,
) -> bool {
    let headers: Map<String, Value> =
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let request = json!({"headers": headers, "body": body, "secret": secret});
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit/webhook/verify.py");
    run(Command::new(python()).arg(script), &request)
}

/// Runs a script that reads a webhook as JSON, and returns whether it accepts it.
pub(crate) fn run(command: &mut Command, request: &Value) -> bool {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => true,
        Some(REFUSED) => false,
        _ => panic!("the script failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
