//! `longshore pause`: pauses a queue, so that none of its jobs are started.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::target::Target;
use crate::job::QueueName;
use crate::job::queue::QueueChange;

/// Arguments of `longshore pause`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Running jobs continue. The queue still accepts new jobs, which wait. It stays paused, also after a
restart of the server, until 'longshore resume'.

Examples:
  longshore pause mail")]
pub(crate) struct PauseArgs {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: QueueName,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Pauses a queue.
pub(crate) async fn run(args: PauseArgs) -> Result<(), CliError> {
    set_paused(&args.target, &args.queue, true).await
}

/// Pauses or resumes a queue and prints its new state.
pub(crate) async fn set_paused(
    target: &Target,
    queue: &QueueName,
    paused: bool,
) -> Result<(), CliError> {
    let (client, output) = target.open()?;
    let change = QueueChange { paused: Some(paused), ..QueueChange::default() };
    let reply = client.change_queue(queue, &change).await?;
    if output.json {
        return output.json(&reply.json);
    }
    let state = if reply.value.settings.paused { "paused" } else { "not paused" };
    output.line(format_args!("queue {queue} is {state}, {} queued", reply.value.jobs.queued))
}
