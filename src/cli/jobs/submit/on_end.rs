//! Options for what happens when a job or batch ends: a webhook and a follow-up job.

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::submit::json;
use crate::job::submission::on_end::callback::{Callback, CallbackEvent};
use crate::job::{Submission, WebhookSecretName};

/// Options for what happens at the end.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "At the end")]
pub(crate) struct EndOptions {
    /// URL that receives a webhook when the job or batch ends
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Name of the webhook secret that signs the webhook; see 'longshore webhook secret'
    #[arg(long, value_name = "NAME", requires = "callback")]
    callback_secret: Option<WebhookSecretName>,
    /// Event to send a webhook about: job.completed, job.failed, job.cancelled or batch.finished;
    /// may be given several times [default: all]
    #[arg(
        long = "callback-event",
        value_name = "EVENT",
        requires = "callback",
        value_parser = parse_event
    )]
    callback_events: Vec<CallbackEvent>,
    /// Include the result of a completed job in the webhook
    #[arg(long, requires = "callback")]
    callback_result: bool,
    /// Job to submit when the job, or every job of the batch, has completed: a submission as JSON,
    /// @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    then: Option<String>,
}

impl EndOptions {
    /// Returns the webhook to send.
    pub(in crate::cli::jobs) fn callback(&self) -> Option<Callback> {
        let events = Some(self.callback_events.clone()).filter(|events| !events.is_empty());
        self.callback.clone().map(|url| Callback {
            url,
            events,
            include_result: self.callback_result,
            secret: self.callback_secret.clone(),
        })
    }

    /// Reads the follow-up job.
    pub(in crate::cli::jobs) fn then(&self) -> Result<Option<Box<Submission>>, CliError> {
        let Some(argument) = &self.then else { return Ok(None) };
        let submission = json("follow-up job", argument)?;
        let submission: Submission = submission.read_objects().map_err(|problem| {
            CliError::Usage(format!("the follow-up job is not a submission: {problem}"))
        })?;
        Ok(Some(Box::new(submission)))
    }
}

fn parse_event(text: &str) -> Result<CallbackEvent, String> {
    let found = CallbackEvent::ALL.into_iter().find(|event| event.as_str() == text);
    found.ok_or_else(|| {
        let names = CallbackEvent::ALL.map(CallbackEvent::as_str);
        format!("must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        options: EndOptions,
    }

    fn parse(arguments: &[&str]) -> Result<EndOptions, clap::Error> {
        let all = ["longshore"].iter().chain(arguments);
        Options::try_parse_from(all).map(|parsed| parsed.options)
    }

    #[test]
    fn the_options_become_a_callback() {
        let url = "https://a.example/hook";
        let options = parse(&[
            "--callback",
            url,
            "--callback-secret",
            "shop",
            "--callback-event",
            "job.failed",
            "--callback-event",
            "job.cancelled",
            "--callback-result",
        ]);
        let callback = options.unwrap().callback().unwrap();
        let expected = serde_json::json!({
            "url": url, "secret": "shop", "events": ["job.failed", "job.cancelled"],
            "include_result": true,
        });
        assert_eq!(serde_json::to_value(&callback).unwrap(), expected);
        let all = parse(&["--callback", url]).unwrap().callback().unwrap();
        assert_eq!(all.events, None);
        assert_eq!(parse(&[]).unwrap().callback(), None);
    }

    #[test]
    fn an_option_without_its_url_or_with_an_unknown_event_is_refused() {
        assert!(parse(&["--callback-secret", "shop"]).is_err());
        assert!(parse(&["--callback-result"]).is_err());
        let error = parse(&["--callback", "https://a", "--callback-event", "done"]).unwrap_err();
        assert!(error.to_string().contains("job.completed, job.failed"), "{error}");
    }

    #[test]
    fn a_follow_up_job_is_a_submission() {
        let then = |text| parse(&["--then", text]).unwrap().then();
        let found = then(r#"{"kind": "echo", "payload": {"$from": "job"}}"#).unwrap().unwrap();
        assert_eq!(found.kind, "echo");
        for text in [r#"{"kind": "echo", "other": 1}"#, "[1]", "echo"] {
            assert_eq!(then(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
