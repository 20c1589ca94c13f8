//! `longshore open`: where a page is.

use clap::{Args, ValueEnum};

use crate::cli::error::CliError;
use crate::cli::id::parse_id;
use crate::cli::target::Target;
use crate::job::{BatchId, JobId, QueueName};

/// Which page.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the address and asks no server. Without anything it is that of the overview.

Examples:
  longshore open
  longshore open job 17
  xdg-open $(longshore open queue mail)")]
pub(super) struct OpenArgs {
    /// Of what
    #[arg(value_name = "WHAT", requires = "name")]
    what: Option<What>,
    /// The id of the job or the batch, or the name of the queue
    #[arg(value_name = "ID|NAME", requires = "what")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// What has a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// A job
    Job,
    /// A batch
    Batch,
    /// A queue
    Queue,
}

/// Prints the address of a page.
pub(super) async fn run(args: OpenArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let path = path(args.what, args.name.as_deref().unwrap_or_default());
    let url = format!("{}{}", client.base_url(), path.map_err(CliError::Usage)?);
    if output.json { output.json(&url) } else { output.line(url) }
}

fn path(what: Option<What>, name: &str) -> Result<String, String> {
    Ok(match what {
        None => "/".into(),
        Some(What::Job) => format!("/jobs/{}", parse_id::<JobId>(name)?),
        Some(What::Batch) => format!("/batches/{}", parse_id::<BatchId>(name)?),
        Some(What::Queue) => {
            let name: QueueName = name.parse().map_err(|error| format!("{name:?} is {error}"))?;
            format!("/queues/{name}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_page() {
        assert_eq!(path(None, ""), Ok("/".into()));
        assert_eq!(path(Some(What::Job), "17"), Ok("/jobs/17".into()));
        assert_eq!(path(Some(What::Batch), "3"), Ok("/batches/3".into()));
        assert_eq!(path(Some(What::Queue), "mail"), Ok("/queues/mail".into()));
        assert!(path(Some(What::Job), "mail").is_err());
        assert!(path(Some(What::Queue), "../jobs").is_err());
    }
}
