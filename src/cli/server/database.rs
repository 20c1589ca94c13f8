//! The options of commands that open the database file directly instead of calling a server.

pub(in crate::cli::server) mod open_database;
pub(in crate::cli::server) mod place;

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::server::settings::variables;
use crate::config::{self, Config, Database};

/// Location of the database, given in the same way as for the server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct DatabaseArgs {
    /// Configuration file that names the database
    #[arg(long, env = "LONGSHORE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Path of the database file [env: LONGSHORE_DATABASE] [default: longshore.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Returns whether `--database` was given.
    pub(crate) fn is_named(&self) -> bool {
        self.database.is_some()
    }

    /// Returns the configuration with the database. Its other settings are read and not checked.
    pub(crate) fn find_config(self) -> Result<Config, CliError> {
        Ok(config::load_unchecked(self.config.as_deref(), variables(), self.database)?)
    }

    /// Returns the path of the database file.
    pub(crate) fn find(self) -> Result<PathBuf, CliError> {
        check(match self.database {
            Some(database) => database,
            None => config::load_database(self.config.as_deref(), variables())?,
        })
    }
}

/// Returns the path of a database file, which is not a URL. A URL may have a password, so that it must not be shown as it
/// is.
pub(crate) fn check(path: PathBuf) -> Result<PathBuf, CliError> {
    let database = Database::from(path.clone());
    match database.problem() {
        Some(problem) => Err(CliError::Usage(format!("the database {database} {problem}"))),
        None => Ok(path),
    }
}
