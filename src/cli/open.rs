//! `longshore open`: prints the URL of a page of the web interface.

use clap::{Args, ValueEnum};

use crate::cli::client::UNIX;
use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::target::Target;
use crate::job::{BatchId, JobId, QueueName};

/// Arguments of `longshore open`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the URL without calling the server. Without arguments it is the URL of the overview page.

Examples:
  longshore open
  longshore open job 17
  xdg-open $(longshore open queue mail)")]
pub(super) struct OpenArgs {
    /// What the page shows
    #[arg(value_name = "WHAT", requires = "name")]
    subject: Option<PageSubject>,
    /// ID of the job or the batch, or name of the queue
    #[arg(value_name = "ID|NAME", requires = "subject")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

/// The kind of object that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageSubject {
    /// The page of a job
    Job,
    /// The page of a batch
    Batch,
    /// The page of a queue
    Queue,
}

/// Prints the URL of a page.
pub(super) async fn run(args: OpenArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let path = path(args.subject, args.name.as_deref().unwrap_or_default());
    if client.base_url().starts_with(UNIX) {
        let why = "a browser cannot open pages over a Unix socket; give an http:// or https:// URL";
        return Err(CliError::Usage(format!("--url: {why}")));
    }
    let url = format!("{}{}", client.base_url(), path.map_err(CliError::Usage)?);
    if output.json { output.json(&url) } else { output.line(url) }
}

/// Returns the path of a page.
fn path(subject: Option<PageSubject>, name: &str) -> Result<String, String> {
    let id_error = |why| format!("the ID {name:?} {why}");
    Ok(match subject {
        None => "/".into(),
        Some(PageSubject::Job) => format!("/jobs/{}", parse_id::<JobId>(name).map_err(id_error)?),
        Some(PageSubject::Batch) => {
            format!("/batches/{}", parse_id::<BatchId>(name).map_err(id_error)?)
        }
        Some(PageSubject::Queue) => {
            let error = |error| format!("the queue name {name:?} is invalid: {error}");
            format!("/queues/{}", name.parse::<QueueName>().map_err(error)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_has_its_page() {
        assert_eq!(path(None, ""), Ok("/".into()));
        assert_eq!(path(Some(PageSubject::Job), "17"), Ok("/jobs/17".into()));
        assert_eq!(path(Some(PageSubject::Batch), "3"), Ok("/batches/3".into()));
        assert_eq!(path(Some(PageSubject::Queue), "mail"), Ok("/queues/mail".into()));
        assert!(path(Some(PageSubject::Job), "mail").is_err());
        assert!(path(Some(PageSubject::Queue), "../jobs").is_err());
    }
}
