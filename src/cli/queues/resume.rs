//! `longshore resume`: resumes a paused queue.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::queues::pause::set_paused;
use crate::cli::target::Target;
use crate::job::QueueName;

/// Arguments of `longshore resume`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore resume mail")]
pub(crate) struct ResumeArgs {
    /// Name of the queue
    #[arg(value_name = "QUEUE")]
    queue: QueueName,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Resumes a queue.
pub(crate) async fn run(args: ResumeArgs) -> Result<(), CliError> {
    set_paused(&args.target, &args.queue, false).await
}
