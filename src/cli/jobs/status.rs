//! `longshore status`: shows the current state of a job.

mod attempts;
pub(in crate::cli) mod deliveries;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::jobs::id::parse_id;
use crate::cli::output::Output;
use crate::cli::output::show;
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::callback::Callback;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::submission::on_end::then::Then;
use crate::job::{Job, JobId, State, Timestamp};

/// Arguments of `longshore status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  longshore status 17
  longshore status 17 --json | jq .result")]
pub(crate) struct StatusArgs {
    /// ID of the job
    #[arg(value_name = "ID", value_parser = parse_id::<JobId>)]
    id: JobId,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Reads a job and prints it.
pub(crate) async fn run(args: StatusArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let reply = client.job(args.id).await?;
    if output.json {
        return output.json(&reply.json);
    }
    let job = &reply.value;
    // Most jobs have no webhook, so nothing else is read.
    let deliveries = match job.callback {
        Some(_) => client.deliveries(Owner::Job(args.id)).await?.value.deliveries,
        None => Vec::new(),
    };
    print(&output, job, &deliveries, Clock::system().now())
}

/// Prints the fields of a job, one per line.
fn print(
    output: &Output,
    job: &Job,
    deliveries: &[DeliveryStatus],
    now: Timestamp,
) -> Result<(), CliError> {
    let print_fields = |fields: Vec<Field>| {
        fields.iter().try_for_each(|(name, text)| output.line(format_args!("{name:<9} {text}")))
    };
    print_fields([basic_fields(output, job, now), time_fields(job)].concat())?;
    attempts::lines(job).iter().try_for_each(|line| output.line(line))?;
    print_fields(end_fields(output, job, deliveries))?;
    print_fields(result_fields(job))
}

/// The name of a field and its value.
type Field = (&'static str, String);

/// Returns the fields that describe the job itself.
fn basic_fields(output: &Output, job: &Job, now: Timestamp) -> Vec<Field> {
    let note = if job.cancel_requested { " (cancel requested)" } else { "" };
    let once = if job.at_most_once { ", at most once" } else { "" };
    let mut fields = vec![
        ("job", job.id.to_string()),
        ("state", format!("{}{note}", output.state(job.state))),
        ("kind", job.kind.clone()),
        ("queue", format!("{}, {} lane, priority {}", job.queue, job.lane, job.priority)),
        ("attempt", format!("{} of {}{once}", job.attempt, job.max_attempts)),
        ("created", format!("{} ({} ago)", job.created_at, show::age(now.since(job.created_at)))),
    ];
    if let Some(batch) = job.batch {
        fields.push(("batch", batch.to_string()));
    }
    if !job.tags.is_empty() {
        fields.push(("tags", show::plain(&job.tags.join(", "))));
    }
    fields
}

/// Returns the fields that describe when the job runs and how far it is.
fn time_fields(job: &Job) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(waiting) = show::waiting(job) {
        fields.push(("waiting", waiting));
    }
    if matches!(job.state, State::Scheduled | State::Retrying) {
        fields.push(("runs at", job.run_at.to_string()));
    }
    if let Some(expires_at) = job.expires_at {
        fields.push(("expires", expires_at.to_string()));
    }
    if let Some(started_at) = job.started_at {
        fields.push(("started", started_at.to_string()));
    }
    if let Some(worker) = &job.worker {
        fields.push(("worker", show::plain(worker)));
    }
    if let Some(lease_expires_at) = job.lease_expires_at {
        fields.push(("leased", format!("until {lease_expires_at}")));
    }
    if let Some(finished_at) = job.finished_at {
        let took = job.started_at.map(|started_at| finished_at.since(started_at));
        let took = took.map(|took| format!(" (took {})", show::duration(took))).unwrap_or_default();
        fields.push(("finished", format!("{finished_at}{took}")));
    }
    if let Some(progress) = &job.progress {
        let message = progress.message.as_deref().unwrap_or_default();
        fields.push(("progress", format!("{:.0} % {}", progress.percent, show::plain(message))));
    }
    fields
}

/// Returns what happens when the job ends: its webhook, the deliveries, and the follow-up job.
fn end_fields(output: &Output, job: &Job, deliveries: &[DeliveryStatus]) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(Callback { url, events, secret, .. }) = &job.callback {
        let mut text = show::plain(url);
        if let Some(events) = events {
            let names: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
            text.push_str(&format!(", for {}", names.join(", ")));
        }
        if let Some(secret) = secret {
            text.push_str(&format!(", signed with {secret}"));
        }
        fields.push(("callback", text));
    }
    let lines = deliveries.iter().map(|delivery| deliveries::line(output, delivery));
    fields.extend(lines.map(|line| ("delivery", line)));
    if let Some(Then { kind, queue, job }) = &job.then {
        let what = format!("{} in queue {queue}", show::plain(kind));
        let text = match job {
            Some(id) => format!("job {id}, {what}"),
            None => format!("{what}, once this job has completed"),
        };
        fields.push(("then", text));
    }
    fields
}

/// Returns the error, the metadata, the payload and the result.
fn result_fields(job: &Job) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(error) = &job.error {
        fields.push(("error", show::error(error, usize::MAX)));
    }
    if let Some(metadata) = &job.metadata {
        fields.push(("metadata", show::plain(metadata.as_str())));
    }
    if let Some(payload) = &job.payload {
        fields.push(("payload", show::plain(payload.as_str())));
    }
    if let Some(result) = job.result_json() {
        let note = if job.result_truncated { " (truncated)" } else { "" };
        fields.push(("result", format!("{}{note}", show::plain(result.as_str()))));
    }
    fields
}
