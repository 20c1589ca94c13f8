//! `longshore pause`: start no more jobs of a queue.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::target::Target;
use crate::job::QueueName;
use crate::job::queue::QueueChange;

/// Which queue to pause.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Jobs that run go on; the queue takes new ones, which wait. It stays paused over restarts, until
'longshore resume'.

Examples:
  longshore pause mail")]
pub(super) struct PauseArgs {
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: QueueName,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Pauses a queue.
pub(super) async fn run(args: PauseArgs) -> Result<(), CliError> {
    set_paused(&args.target, &args.queue, true).await
}

/// Pauses or resumes a queue and tells what it is then.
pub(super) async fn set_paused(
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
    let is = if reply.value.settings.paused { "is paused" } else { "is not paused" };
    output.line(format_args!("queue {queue} {is}, {} queued", reply.value.jobs.queued))
}
