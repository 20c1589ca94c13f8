//! What a program is given and what it writes.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::speech::Speech;
use crate::executor::encoded::{Body, encode};
use crate::executor::secrets::Secrets;
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

/// How much of the standard error output is kept: its end, in bytes.
const MAX_STDERR_BYTES: usize = 64 << 10;
/// How much of that goes into a message, in bytes.
const MAX_EXCERPT_LEN: usize = 2_000;
/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// Writes `stdin` and closes it. A program that does not read it does nothing wrong.
pub(super) async fn feed(pipe: Option<ChildStdin>, stdin: &[u8]) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(stdin).await;
    }
}

/// What a program wrote.
pub(super) struct Output<'a> {
    max_bytes: usize,
    stdout: Body,
    stderr: VecDeque<u8>,
    speech: Speech<'a>,
}

impl<'a> Output<'a> {
    /// Nothing yet; the result will be at most `max_bytes` long.
    pub(super) fn new(max_bytes: usize, speech: Speech<'a>) -> Self {
        Self { max_bytes, stdout: Body::default(), stderr: VecDeque::new(), speech }
    }

    /// Reads both pipes to their ends. What is over the bounds is read as well and forgotten, or
    /// the program would wait for ever to write it.
    pub(super) async fn drain(&mut self, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) {
        let Self { max_bytes, stdout: kept, stderr: end, speech } = self;
        tokio::join!(
            each_chunk(stdout, |chunk| kept.add(chunk, *max_bytes)),
            each_chunk(stderr, |chunk| {
                speech.hear(chunk);
                keep_end(end, chunk);
            }),
        );
    }

    /// The program writes no more.
    pub(super) fn close(&mut self) {
        self.speech.end();
    }

    /// The outcome of a program that ended well.
    pub(super) fn result(&self) -> Outcome {
        let encoded = encode(&self.stdout, true, self.max_bytes);
        if !encoded.is_base64 {
            let json = encoded.json;
            return Outcome::Completed(JobResult { json, truncated: encoded.is_cut });
        }
        let wrapper_len = r#"{"base64":}"#.len();
        let encoded = encode(&self.stdout, true, self.max_bytes.saturating_sub(wrapper_len));
        match Json::of(&json!({ "base64": encoded.json })) {
            Ok(json) => Outcome::Completed(JobResult { json, truncated: encoded.is_cut }),
            Err(error) => Outcome::fatal("bad_result", error),
        }
    }

    /// The outcome of a program that ended badly.
    pub(super) fn failure(&self, status: ExitStatus, secrets: &Secrets) -> Outcome {
        let mut message = how(status);
        let stderr: Vec<u8> = self.stderr.iter().copied().collect();
        let text = secrets.hide(String::from_utf8_lossy(&stderr).trim());
        let begin = text.ceil_char_boundary(text.len().saturating_sub(MAX_EXCERPT_LEN));
        if !text.is_empty() {
            message.push_str(": ");
            message.push_str(&text[begin..]);
        }
        Outcome::retryable("exit_status", message)
    }
}

async fn each_chunk(pipe: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    // An error ends the pipe as well.
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        take(&chunk[..count]);
    }
}

fn keep_end(end: &mut VecDeque<u8>, chunk: &[u8]) {
    end.extend(chunk);
    let surplus = end.len().saturating_sub(MAX_STDERR_BYTES);
    end.drain(..surplus);
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the program exited with status {code}"),
        (None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (None, None) => "the program ended in an unknown way".into(),
    }
}
