//! `longshore prune`: shows whether old jobs are deleted, and confirms that they may be.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::target::Target;

/// Arguments of `longshore prune`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The server deletes final jobs that are older than the setting retention. It waits with that for 24
hours if it was started longer than the retention after its last activity: either it was off for
so long, or the clock of its machine is wrong, and then it would delete every final job. If the
shown time of the server is right, use --confirm. If not, correct the clock and start it again.

Examples:
  longshore prune
  longshore prune --confirm")]
pub(crate) struct PruneArgs {
    /// Confirm that the clock of the server is right, so that it deletes old jobs
    #[arg(long)]
    confirm: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Shows whether old jobs are deleted, after a confirmation if it is given.
pub(crate) async fn run(args: PruneArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let reply = if args.confirm { client.confirm_pruning().await } else { client.pruning().await }?;
    if output.json {
        return output.json(&reply.json);
    }
    let pruning = reply.value;
    output.line(format_args!("time of the server: {}", pruning.now))?;
    if let (true, Some(last), Some(until)) =
        (pruning.held, pruning.last_activity_at, pruning.held_until)
    {
        output.line(format_args!("last activity before its start: {last}"))?;
        return output.line(format_args!(
            "old jobs are not deleted until {until}; 'longshore prune --confirm' deletes them now"
        ));
    }
    let retention = pruning.retention;
    output.line(format_args!("jobs are deleted {retention} after they reached a final state"))
}
