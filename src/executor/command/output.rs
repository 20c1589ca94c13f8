//! The standard streams of a program.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::stderr_parser::{PROGRESS_PREFIX, StderrParser};
use crate::executor::encoded::{Body, encode};
use crate::executor::encoded::excerpt::Excerpt;
use crate::executor::secrets::Secrets;
use crate::job::Json;
use crate::job::attempt::{
    AttemptDetail, ExitDetail, MAX_RESULT_EXCERPT_BYTES, MAX_TEXT_BYTES,
};
use crate::job::outcome::{JobResult, Outcome};

/// Maximum length of the standard error output in an error message, in bytes.
const MAX_EXCERPT_LEN: usize = 2_000;
/// Maximum number of bytes of one read.
const CHUNK_BYTES: usize = 16 << 10;
/// Number of bytes that are read before other tasks of the thread may run.
const TURN_BYTES: usize = 64 << 10;

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
    stderr_excerpt: Excerpt,
    stderr_parser: StderrParser<'a>,
}

impl<'a> Output<'a> {
    /// Returns an empty output whose result will be at most `max_bytes` long.
    pub(super) fn new(max_bytes: usize, stderr_parser: StderrParser<'a>) -> Self {
        Self {
            max_bytes,
            stdout: Body::default(),
            stderr_excerpt: Excerpt::default(),
            stderr_parser,
        }
    }

    /// Reads both pipes until they are closed. Output over the limits is read and discarded,
    /// because otherwise the program would block on a full pipe.
    pub(super) async fn read(&mut self, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) {
        let Self { max_bytes, stdout: body, stderr_excerpt, stderr_parser } = self;
        tokio::join!(
            each_chunk(stdout, |chunk| body.add(chunk, *max_bytes)),
            each_chunk(stderr, |chunk| {
                stderr_parser.push(chunk);
                stderr_excerpt.push(chunk);
            }),
        );
    }

    /// Ends the output, because the program writes no more.
    pub(super) fn finish(&mut self) {
        self.stderr_parser.finish();
    }

    /// Returns the outcome of a program that exited with status 0. If its output is too large, the
    /// attempt keeps the start and the end of the output, and the exit.
    pub(super) fn result(&self, status: ExitStatus, secrets: &Secrets) -> Outcome {
        let mut encoded = encode(&self.stdout, true, self.max_bytes);
        if encoded.is_base64 {
            let wrapper_len = r#"{"base64":}"#.len();
            encoded = encode(&self.stdout, true, self.max_bytes.saturating_sub(wrapper_len));
            match Json::of(&json!({ "base64": encoded.json })) {
                Ok(json) => encoded.json = json,
                Err(error) => return Outcome::fatal("bad_result", error),
            }
        }
        if !encoded.is_truncated {
            return Outcome::Completed(JobResult::whole(encoded.json));
        }
        let excerpt = &self.stdout.excerpt;
        let result = if encoded.is_base64 {
            excerpt.base64(secrets, MAX_RESULT_EXCERPT_BYTES)
        } else {
            excerpt.text(secrets, MAX_RESULT_EXCERPT_BYTES)
        };
        let detail = AttemptDetail { result: Some(result), ..self.detail(Some(status), secrets) };
        Outcome::Completed(JobResult::truncated(encoded.json)).with_detail(detail)
    }

    /// Returns the outcome of a program that exited with another status or was killed by a signal.
    pub(super) fn failure(&self, status: ExitStatus, secrets: &Secrets) -> Outcome {
        let mut message = describe(status);
        let text = self.stderr_excerpt.tail(secrets);
        let text = text.trim();
        let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_EXCERPT_LEN));
        if !text.is_empty() {
            message.push_str(": ");
            message.push_str(&text[start..]);
        }
        Outcome::retryable("exit_status", message)
    }

    /// Returns what is kept of a program that failed, was stopped or wrote too much.
    pub(super) fn detail(&self, status: Option<ExitStatus>, secrets: &Secrets) -> AttemptDetail {
        let stderr = self.stderr_excerpt.text(secrets, MAX_TEXT_BYTES);
        let lines = stderr.split_inclusive('\n');
        let exit = ExitDetail {
            status: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            stdout: self.stdout.excerpt.text(secrets, MAX_TEXT_BYTES),
            stderr: lines.filter(|line| !line.starts_with(PROGRESS_PREFIX)).collect(),
        };
        AttemptDetail { exit: Some(exit), ..AttemptDetail::default() }
    }
}

async fn each_chunk(pipe: Option<impl AsyncRead + Unpin>, mut consume: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut turn_bytes = 0;
    // An error ends the loop, just like the end of the stream.
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        consume(&chunk[..count]);
        turn_bytes += count;
        if turn_bytes >= TURN_BYTES {
            turn_bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the program exited with status {code}"),
        (None, Some(signal)) => format!("the program was killed by signal {signal}"),
        (None, None) => "the program ended with neither an exit status nor a signal".into(),
    }
}
