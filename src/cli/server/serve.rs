//! `longshore serve`: runs the server.

pub(crate) mod error;
mod exposure;
mod running;

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::auth::secret::KeySecret;
use crate::cli::error::CliError;
use crate::cli::output::use_colour;
use crate::cli::server::descriptors;
use crate::cli::server::settings::{parse_listen, variables};
use crate::cli::server::telemetry::{self, LogFormat};
use crate::config::{self, ListenAddress, Overrides};
use running::{ServerStart, run_server};
pub(crate) use running::start_server;

/// Environment variable with the first API key of a new database.
const FIRST_KEY: &str = "LONGSHORE_FIRST_KEY";

const HELP: &str = "\
Settings are read from the configuration file, then from environment variables, then from these
options; a later source overrides an earlier one. The name of a variable is LONGSHORE_ followed by
the path of the setting in the file, with two underscores between the parts:
  LONGSHORE_LISTEN=127.0.0.1:8080  LONGSHORE_LANES__ASYNC=64  LONGSHORE_QUEUES__MAIL__MAX_RUNNING=5

LONGSHORE_FIRST_KEY is the API key that a new database starts with; see 'longshore key generate'.

After the first SIGINT or SIGTERM, the server gives running jobs time to end (shutdown_grace, 25s
by default). A second signal stops the server at once. Accepted jobs are stored and continue after
the next start.

Examples:
  longshore serve
  longshore serve --database /var/lib/longshore/jobs.db --listen 127.0.0.1:8080
  longshore serve --listen 127.0.0.1:7373 --listen unix:/run/longshore.sock?mode=0660
  longshore serve --config longshore.toml --log-format json";

/// Arguments of `longshore serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    /// Path of the configuration file in TOML
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Path of the database file, which is created if it does not exist [env: LONGSHORE_DATABASE]
    /// [default: longshore.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Address to listen on, or a Unix socket such as unix:/run/longshore.sock?mode=0660; may be given
    /// several times [env: LONGSHORE_LISTEN] [default: 127.0.0.1:7373]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    listen: Vec<ListenAddress>,
    /// Accept requests from other machines although no key exists. Everybody who reaches the address can
    /// then read and change every job
    #[arg(long)]
    insecure_no_keys: bool,
    /// Treat the database as a copy that was not made by 'longshore backup': accept no lease that
    /// was granted before. Use this once, for the first start on the copy
    #[arg(long)]
    restored: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Options for the log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log, on stderr")]
pub(crate) struct LogArgs {
    /// Filter for the log: a level, or levels by module, such as warn,longshore=debug
    #[arg(long, env = "LONGSHORE_LOG", value_name = "FILTER", default_value = telemetry::DEFAULT_FILTER)]
    log: String,
    /// Format of a log line: text or json
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl LogArgs {
    /// Starts logging to stderr.
    pub(crate) fn start(&self) -> Result<(), CliError> {
        telemetry::start(&self.log, self.log_format, use_colour(&io::stderr()))
            .map_err(|error| CliError::Usage(format!("--log: {error}")))
    }
}

/// Runs the server until a signal stops it.
pub(crate) async fn run(args: ServeArgs) -> Result<(), CliError> {
    args.log.start()?;
    descriptors::log_limit();
    let overrides = Overrides { listen: args.listen, database: args.database };
    let config = config::load(args.config.as_deref(), variables(), &overrides)?;
    let start = ServerStart {
        is_restored: args.restored,
        insecure: args.insecure_no_keys,
        first_key: first_key()?,
    };
    Ok(run_server(config, start).await?)
}

/// Returns the first key in the environment, for a new database.
fn first_key() -> Result<Option<KeySecret>, CliError> {
    let set = std::env::var_os(FIRST_KEY).filter(|value| !value.is_empty());
    let Some(text) = set else { return Ok(None) };
    // The text is not repeated, because it is meant to be a key.
    let key = KeySecret::parse(text.to_string_lossy().trim());
    key.map(Some).map_err(|error| {
        let hint = "'longshore key generate' prints one";
        CliError::Usage(format!("{FIRST_KEY}: {error}; {hint}"))
    })
}
