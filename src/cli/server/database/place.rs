//! Where a command works: on a running server, or in the database of one that does not run.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::server::database::DatabaseArgs;
use crate::cli::server::database::open_database::OpenDatabase;
use crate::cli::target::Target;
use crate::store::OpenError;

/// Place where a command works: a running server, or the database of one that does not run.
#[derive(Debug, Clone, Args)]
pub(in crate::cli::server) struct Place {
    #[command(flatten)]
    pub(in crate::cli::server) target: Target,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Place {
    /// Does the work with the server if one answers, and otherwise with the database.
    ///
    /// With `--database` only the database is used, and with a URL only the server. `is_new_allowed` is
    /// whether the database may be created.
    pub(in crate::cli::server) async fn act<T>(
        self,
        is_new_allowed: bool,
        on_server: impl AsyncFnOnce(&Client) -> Result<T, CliError>,
        on_database: impl FnOnce(&mut OpenDatabase) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let (client, output) = self.target.open()?;
        if self.database.is_named() {
            if self.target.names_server() {
                let why = "--url and --database name two places; give only one of them";
                return Err(CliError::Usage(why.into()));
            }
            return on_database(&mut open(self.database, is_new_allowed)?);
        }
        match on_server(&client).await {
            Err(CliError::Unreachable { .. }) if !self.target.names_server_anywhere() => {
                let url = client.base_url();
                output.note(format_args!(
                    "no server answers at {url}, and --url names no other; using the database"
                ));
                on_database(&mut open(self.database, is_new_allowed)?)
            }
            done => done,
        }
    }
}

/// Opens the database.
///
/// # Errors
/// Returns an error that says how to reach the server if one uses the database.
fn open(database: DatabaseArgs, is_new_allowed: bool) -> Result<OpenDatabase, CliError> {
    OpenDatabase::open(database, is_new_allowed).map_err(|error| match error {
        CliError::Unusable(OpenError::InUse { path, .. }) => CliError::Usage(format!(
            "a server uses the database {path}; give its address with --url or LONGSHORE_URL"
        )),
        error => error,
    })
}
