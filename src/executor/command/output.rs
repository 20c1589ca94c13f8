//! The standard streams of a program.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::stderr_parser::StderrParser;
use crate::executor::encoded::{Body, encode};
use crate::executor::secrets::Secrets;
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

/// Number of bytes at the end of the standard error output that are kept.
const MAX_STDERR_BYTES: usize = 64 << 10;
/// Maximum length of the standard error output in an error message, in bytes.
const MAX_EXCERPT_LEN: usize = 2_000;
/// Maximum number of bytes of one read.
const CHUNK_BYTES: usize = 16 << 10;

/// Writes `stdin` to the pipe and closes it. Write errors are ignored, because a program need not
/// read its input.
pub(super) async fn write_stdin(pipe: Option<ChildStdin>, stdin: &[u8]) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(stdin).await;
    }
}

/// Output that a program has written so far.
pub(super) struct Output<'a> {
    max_bytes: usize,
    stdout: Body,
    /// End of the standard error output, at most [`MAX_STDERR_BYTES`].
    stderr: VecDeque<u8>,
    stderr_parser: StderrParser<'a>,
}

impl<'a> Output<'a> {
    /// Returns an empty output whose result will be at most `max_bytes` long.
    pub(super) fn new(max_bytes: usize, stderr_parser: StderrParser<'a>) -> Self {
        Self { max_bytes, stdout: Body::default(), stderr: VecDeque::new(), stderr_parser }
    }

    /// Reads both pipes until they are closed. Output over the limits is read and discarded,
    /// because otherwise the program would block on a full pipe.
    pub(super) async fn read(&mut self, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) {
        let Self { max_bytes, stdout: stdout_body, stderr: stderr_end, stderr_parser } = self;
        tokio::join!(
            each_chunk(stdout, |chunk| stdout_body.add(chunk, *max_bytes)),
            each_chunk(stderr, |chunk| {
                stderr_parser.push(chunk);
                append_and_trim(stderr_end, chunk);
            }),
        );
    }

    /// Ends the output, because the program writes no more.
    pub(super) fn finish(&mut self) {
        self.stderr_parser.finish();
    }

    /// Returns the outcome of a program that exited with status 0.
    pub(super) fn result(&self) -> Outcome {
        let encoded = encode(&self.stdout, true, self.max_bytes);
        if !encoded.is_base64 {
            let json = encoded.json;
            return Outcome::Completed(JobResult { truncated: encoded.is_truncated, ..JobResult::whole(json) });
        }
        let wrapper_len = r#"{"base64":}"#.len();
        let encoded = encode(&self.stdout, true, self.max_bytes.saturating_sub(wrapper_len));
        match Json::of(&json!({ "base64": encoded.json })) {
            Ok(json) => Outcome::Completed(JobResult { truncated: encoded.is_truncated, ..JobResult::whole(json) }),
            Err(error) => Outcome::fatal("bad_result", error),
        }
    }

    /// Returns the outcome of a program that exited with another status or was killed by a signal.
    pub(super) fn failure(&self, status: ExitStatus, secrets: &Secrets) -> Outcome {
        let mut message = describe(status);
        let stderr: Vec<u8> = self.stderr.iter().copied().collect();
        let text = secrets.hide(String::from_utf8_lossy(&stderr).trim());
        let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_EXCERPT_LEN));
        if !text.is_empty() {
            message.push_str(": ");
            message.push_str(&text[start..]);
        }
        Outcome::retryable("exit_status", message)
    }
}

async fn each_chunk(pipe: Option<impl AsyncRead + Unpin>, mut consume: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    // An error ends the loop, just like the end of the stream.
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        consume(&chunk[..count]);
    }
}

/// Appends a chunk and drops bytes from the front until at most [`MAX_STDERR_BYTES`] are left.
fn append_and_trim(end: &mut VecDeque<u8>, chunk: &[u8]) {
    end.extend(chunk);
    let surplus = end.len().saturating_sub(MAX_STDERR_BYTES);
    end.drain(..surplus);
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the program exited with status {code}"),
        (None, Some(signal)) => format!("the program was killed by signal {signal}"),
        (None, None) => "the program ended with neither an exit status nor a signal".into(),
    }
}
