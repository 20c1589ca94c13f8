//! Jobs of the kind `command`: a program that the operator configured.
//!
//! The payload is `{name, args?, stdin?}`, the result what the program writes to its standard
//! output. What it writes to its standard error is the job's log, but for lines that tell how far it
//! is (see `speech.rs`). There is no shell between, the environment is empty but for what is listed, and the
//! program inherits no descriptor. It leads a process group of its own, and whatever is left of that
//! group when the attempt ends is killed. A process that leaves the group on purpose (`setsid`) is
//! out of reach.

mod group;
mod output;
mod request;
mod speech;

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::config::{CommandConfig, Config};
use crate::executor::bad_payload;
use crate::executor::context::{Context, StopReason, sleep_until};
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use group::Group;
use output::{Output, feed};
use request::Request;
use speech::Speech;

/// How long a program has between SIGTERM and SIGKILL.
const TERM_PATIENCE: Duration = Duration::from_secs(2);
/// How long the output is waited for once the whole group is gone; only a process that left the
/// group can still hold it open.
const DRAIN_PATIENCE: Duration = Duration::from_millis(500);

/// Runs the jobs of the kind `command`.
pub struct Command {
    commands: BTreeMap<String, CommandConfig>,
}

/// How a program ended.
enum End {
    Exited(ExitStatus),
    Stopped(StopReason),
}

impl Command {
    pub(super) fn new(config: &Config) -> Self {
        if !config.commands.is_empty() {
            // What is opened here closes by itself in a child; what was handed to this process, by
            // a shell or a supervisor, does not.
            close_fds::set_fds_cloexec_threadsafe(3, &[]);
        }
        Self { commands: config.commands.clone() }
    }

    /// What is wrong with a payload.
    pub(super) fn check(&self, payload: &Json) -> Vec<Problem> {
        Request::read(payload, &self.commands).err().unwrap_or_default()
    }

    /// Runs a program to its end. Dropping the future kills its process group at once.
    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match Request::read(payload, &self.commands) {
            Ok(request) => request,
            Err(problems) => return bad_payload(&problems),
        };
        let timeout = request.timeout().min(context.timeout());
        context.start_clock(timeout);
        let (mut group, pipes) = match Group::spawn(request.command()) {
            Ok(spawned) => spawned,
            Err(error) => return request.unspawned(&error),
        };
        let secrets = request.secrets();
        let speech = Speech::new(context, &secrets);
        let mut output = Output::new(context.max_result_bytes(), speech);
        let ended = attend(&mut group, pipes, request.stdin(), &mut output, context).await;
        output.close();
        match ended {
            Ok(End::Stopped(reason)) => reason.outcome(timeout),
            Ok(End::Exited(status)) if status.success() => output.result(),
            Ok(End::Exited(status)) => output.failure(status, &secrets),
            Err(error) => Outcome::retryable("wait", format!("cannot await the program: {error}")),
        }
    }
}

/// The parent's ends of a program's pipes.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// Feeds a program and drains it until it ends or is ended, and takes care that nothing of its
/// group is left.
async fn attend(
    group: &mut Group,
    pipes: Pipes,
    stdin: &[u8],
    output: &mut Output<'_>,
    context: &Context,
) -> std::io::Result<End> {
    let drain = async {
        tokio::join!(feed(pipes.stdin, stdin), output.drain(pipes.stdout, pipes.stderr));
    };
    tokio::pin!(drain);
    let (mut is_drained, mut stopped, mut kill_at) = (false, None, None);
    let status = loop {
        tokio::select! {
            biased;
            status = group.wait() => break status?,
            () = &mut drain, if !is_drained => is_drained = true,
            reason = context.stopped(), if stopped.is_none() => {
                group.terminate();
                stopped = Some(reason);
                kill_at = Some(Instant::now() + TERM_PATIENCE);
            }
            () = sleep_until(kill_at) => {
                group.kill();
                kill_at = None;
            }
        }
    };
    if !is_drained {
        // What is not there by then is not the program's.
        let _ = tokio::time::timeout(DRAIN_PATIENCE, drain).await;
    }
    Ok(stopped.map_or(End::Exited(status), End::Stopped))
}
