//! Jobs of the kind `command`: a program that the operator configured.
//!
//! The payload is `{name, args?, stdin?}`, and the result is the standard output of the program.
//! Its standard error is the job's log, except for progress lines (see `stderr_parser.rs`).
//!
//! The program is started without a shell, sees only the environment variables that the operator
//! listed, and inherits no file descriptors except its standard streams. It leads a process group
//! of its own, and all processes that are left in this group when the attempt ends are killed. A
//! process that leaves the group on purpose (`setsid`) is not killed. If the server is killed, its
//! [`guard`] kills the groups.

pub(super) mod guard;
mod output;
mod process_group;
mod request;
mod stderr_parser;

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::config::{CommandConfig, Config};
use crate::executor::attempt::bad_payload;
use crate::executor::context::{Context, StopReason, sleep_until};
use crate::job::Json;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

use output::{Output, write_stdin};
use process_group::ProcessGroup;
use request::CommandRequest;
use stderr_parser::StderrParser;

/// Time between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// Maximum wait for the end of the output after the process group is gone. Only a process that left
/// the group can still hold the pipes open.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the jobs of the kind `command`.
pub struct Command {
    commands: BTreeMap<String, CommandConfig>,
}

/// How a program ended.
struct ProgramEnd {
    status: ExitStatus,
    /// Reason why the program was stopped, if it was.
    stopped: Option<StopReason>,
}

impl Command {
    pub(super) fn new(config: &Config) -> Self {
        if !config.commands.is_empty() {
            // Descriptors that this process opens are close-on-exec. Descriptors that it inherited
            // from a shell or a supervisor are not, so they are set here.
            close_fds::set_fds_cloexec_threadsafe(3, &[]);
        }
        Self { commands: config.commands.clone() }
    }

    /// Returns the problems of a payload.
    pub(super) fn check(&self, payload: &Json) -> Vec<Problem> {
        CommandRequest::read(payload, &self.commands).err().unwrap_or_default()
    }

    /// Refuses a reference that would choose the program: another server would decide what runs on this machine.
    /// `references` are places in a payload whose values are not known yet.
    ///
    /// # Errors
    /// Returns the problem of such a reference.
    pub(super) fn check_references(references: &[String]) -> Result<(), Problem> {
        let chooses_program = |place: &&String| place.is_empty() || *place == "/name";
        references.iter().find(chooses_program).map_or(Ok(()), |place| {
            Err(Problem::new(place.as_str(), "must not be a reference: it would choose the command"))
        })
    }

    /// Runs a program to its end. Dropping the future kills its process group at once.
    pub(super) async fn run(&self, payload: &Json, context: &Context) -> Outcome {
        let request = match CommandRequest::read(payload, &self.commands) {
            Ok(request) => request,
            Err(problems) => return bad_payload(&problems),
        };
        let timeout = request.timeout().min(context.timeout());
        context.start_clock(timeout);
        let (mut group, pipes) = match ProcessGroup::spawn(request.command()) {
            Ok(spawned) => spawned,
            Err(error) => return request.spawn_failure(&error),
        };
        let secrets = request.secrets();
        let stderr_parser = StderrParser::new(context, &secrets);
        let mut output = Output::new(context.max_result_bytes(), stderr_parser);
        let ended = supervise(&mut group, pipes, request.stdin(), &mut output, context).await;
        output.finish();
        let (outcome, status) = match ended {
            Ok(ProgramEnd { status, stopped: None }) if status.success() => {
                return output.result(status, &secrets);
            }
            Ok(ProgramEnd { status, stopped: None }) => {
                (output.failure(status, &secrets), Some(status))
            }
            Ok(ProgramEnd { status, stopped: Some(reason) }) => {
                (reason.outcome(timeout), Some(status))
            }
            Err(error) => {
                let message = format!("cannot wait for the program: {error}");
                (Outcome::retryable("wait", message), None)
            }
        };
        outcome.with_detail(output.detail(status, &secrets))
    }
}

/// This process's ends of a program's pipes.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// Writes a program's input and reads its output until the program ends. Terminates it if the
/// attempt is stopped. When this returns, the process group is gone.
async fn supervise(
    group: &mut ProcessGroup,
    pipes: Pipes,
    stdin: &[u8],
    output: &mut Output<'_>,
    context: &Context,
) -> std::io::Result<ProgramEnd> {
    let transfer = async {
        tokio::join!(write_stdin(pipes.stdin, stdin), output.read(pipes.stdout, pipes.stderr));
    };
    tokio::pin!(transfer);
    let (mut is_transferred, mut stopped, mut kill_at) = (false, None, None);
    let status = loop {
        tokio::select! {
            biased;
            // First, because a program that has ended cannot be stopped any more.
            status = group.wait() => break status?,
            reason = context.stopped(), if stopped.is_none() => {
                group.terminate();
                stopped = Some(reason);
                kill_at = Some(Instant::now() + TERM_GRACE);
            }
            () = sleep_until(kill_at) => {
                group.kill();
                kill_at = None;
            }
            // Last, because a program that writes without a pause always has output to read.
            () = &mut transfer, if !is_transferred => is_transferred = true,
        }
    };
    if !is_transferred {
        // Output that arrives later was written by a process that left the group.
        let _ = tokio::time::timeout(OUTPUT_TIMEOUT, transfer).await;
    }
    Ok(ProgramEnd { status, stopped })
}
