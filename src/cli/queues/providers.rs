//! `longshore providers`: lists the providers with their limits and their state.

use clap::Args;

use crate::api::providers::{Provider, ProviderHealth};
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::output::table::{Cell, Table};
use crate::cli::output::{Colour, Output};
use crate::cli::target::Target;
use crate::clock::Clock;
use crate::job::{ProviderName, Timestamp};

/// Maximum length of an error in the table.
const MAX_ERROR_CHARS: usize = 60;

/// Arguments of `longshore providers`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
STATE is 'ok', 'paused' after the provider asked for a pause, or 'recovering' while the number of
its calls at once grows back. FOR is the time until a pause ends. NOW is the maximum number of
calls at once while it recovers. MAX is its max_running, and RPM its requests_per_minute. REFUSED
is the number of refused calls since it last worked.

Examples:
  longshore providers
  longshore providers openai
  longshore providers --json | jq '.providers[] | select(.state == \"paused\") | .name'")]
pub(crate) struct ProvidersArgs {
    /// Name of a provider; shows everything that is known about it
    #[arg(value_name = "PROVIDER")]
    provider: Option<ProviderName>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Names of the columns.
const COLUMNS: [&str; 10] =
    ["NAME", "STATE", "FOR", "QUEUED", "RUNNING", "NOW", "MAX", "RPM", "REFUSED", "ERROR"];

/// Prints all providers, or one of them.
pub(crate) async fn run(args: ProvidersArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    let now = Clock::system().now();
    if let Some(name) = &args.provider {
        let reply = client.provider(name).await?;
        if output.json {
            return output.json(&reply.json);
        }
        return print(&output, &reply.value, now);
    }
    let reply = client.providers().await?;
    if output.json {
        return output.json(&reply.json);
    }
    let rows = reply.value.providers.iter().map(|provider| row(provider, now)).collect();
    Table::new(COLUMNS).print(&output, rows)
}

fn row(provider: &Provider, now: Timestamp) -> [Cell; 10] {
    let number = |value: Option<String>| Cell::number(value.as_deref().unwrap_or(show::NONE));
    let limit = |value: Option<u32>| number(value.map(|value| value.to_string()));
    let error = provider.error.as_ref().map(|error| show::error(error, MAX_ERROR_CHARS));
    let (state, colour) = state(provider);
    let state = Cell::text(state);
    [
        Cell::text(&provider.name),
        match colour {
            Some(colour) => state.in_colour(colour),
            None => state,
        },
        number(provider.paused_until.map(|until| show::age(until.since(now)))),
        Cell::number(&provider.queued),
        Cell::number(&provider.running),
        limit(provider.max_running_now),
        limit(provider.max_running),
        limit(provider.requests_per_minute),
        limit(provider.refused),
        Cell::text(error.as_deref().unwrap_or(show::NONE)),
    ]
}

/// Returns the name of the state, and its colour.
fn state(provider: &Provider) -> (&'static str, Option<Colour>) {
    match provider.state {
        _ if !provider.is_configured => ("not configured", Some(Colour::Red)),
        ProviderHealth::Paused => ("paused", Some(Colour::Yellow)),
        ProviderHealth::Recovering => ("recovering", None),
        ProviderHealth::Starting => ("starting", None),
        ProviderHealth::Ok => ("ok", None),
    }
}

/// Prints the fields of one provider, one per line.
fn print(output: &Output, provider: &Provider, now: Timestamp) -> Result<(), CliError> {
    let limit = |value: Option<u32>| value.map_or("no limit".into(), |value| value.to_string());
    let (state, colour) = state(provider);
    let state = colour.map_or(state.into(), |colour| output.paint(colour, state));
    let mut fields = vec![
        ("provider", provider.name.to_string()),
        ("state", state),
        ("queued", provider.queued.to_string()),
        ("running", provider.running.to_string()),
        ("max_running", limit(provider.max_running)),
        ("requests_per_minute", limit(provider.requests_per_minute)),
    ];
    if let Some(now) = provider.max_running_now {
        fields.push(("now", format!("{now} calls at once until it has recovered")));
    }
    if let Some(until) = provider.paused_until {
        fields.push(("paused", format!("until {until} (for {})", show::age(until.since(now)))));
    }
    if let (Some(refused), Some(since)) = (provider.refused, provider.refused_since) {
        fields.push(("refused", format!("{refused} calls since {since}")));
    }
    if let Some(error) = &provider.error {
        fields.push(("last refusal", show::error(error, usize::MAX)));
    }
    fields.iter().try_for_each(|(name, text)| output.line(format_args!("{name:<19} {text}")))
}
