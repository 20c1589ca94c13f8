//! Which database a command looks at by itself, with no server between.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::serve::variables;
use crate::config;

/// Where the database is, as the server is told it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(super) struct DatabaseArgs {
    /// The configuration file that names it
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database file [env: LONGSHORE_DATABASE] [default: longshore.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Whether it is named here.
    pub(super) fn is_named(&self) -> bool {
        self.database.is_some()
    }

    /// The file.
    pub(super) fn find(self) -> Result<PathBuf, CliError> {
        match self.database {
            Some(database) => Ok(database),
            None => Ok(config::load_database(self.config.as_deref(), variables())?),
        }
    }
}
