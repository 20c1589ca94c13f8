//! `longshore serve`: the server.

mod running;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::output::takes_colour;
use crate::cli::target::parse_listen;
use crate::config::{self, Overrides};
use crate::telemetry::{self, LogFormat};
use running::run_server;
pub(super) use running::start_server;
pub use running::{RunningServer, ServeError};

const HELP: &str = "\
Configuration comes from the file, then from variables, then from these options; the later wins. A
variable is named by its path in the file, two underscores between the steps:
  LONGSHORE_LISTEN=127.0.0.1:8080  LONGSHORE_LANES__ASYNC=64  LONGSHORE_QUEUES__MAIL__MAX_RUNNING=5

The first SIGINT or SIGTERM lets running jobs end (shutdown_grace, 25s by default); a second one
ends the server at once. What was accepted goes on after the next start.

Examples:
  longshore serve
  longshore serve --database /var/lib/longshore/jobs.db --listen 127.0.0.1:8080
  longshore serve --config longshore.toml --log-format json";

/// How the server is to run.
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(super) struct ServeArgs {
    /// A configuration file in TOML
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database file, made if it is not there [env: LONGSHORE_DATABASE] [default: longshore.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Where to listen, on this machine only [env: LONGSHORE_LISTEN] [default: 127.0.0.1:7373]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    listen: Option<SocketAddr>,
    /// The database is a copy that was made otherwise than by 'longshore backup': take no lease
    /// from before. Once, at the first start
    #[arg(long)]
    restored: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log, on stderr")]
pub(super) struct LogArgs {
    /// What is logged: a level, or levels by part, such as warn,longshore=debug
    #[arg(long, env = "LONGSHORE_LOG", value_name = "FILTER", default_value = telemetry::DEFAULT_FILTER)]
    log: String,
    /// How a line is written: text or json
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl LogArgs {
    /// Begins to log.
    pub(super) fn start(&self) -> Result<(), CliError> {
        telemetry::start(&self.log, self.log_format, takes_colour(&io::stderr()))
            .map_err(|error| CliError::Usage(format!("--log: {error}")))
    }
}

/// Runs the server until it is told to stop.
pub(super) async fn run(args: ServeArgs) -> Result<(), CliError> {
    args.log.start()?;
    let overrides = Overrides { listen: args.listen, database: args.database };
    let config = config::load(args.config.as_deref(), variables(), &overrides)?;
    Ok(run_server(config, args.restored).await?)
}

/// The environment; a name or value that is not UTF-8 is read as well as it can be, so that a
/// setting is complained of and never passed over.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
