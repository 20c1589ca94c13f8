//! `longshore key`: creates, lists and revokes API keys.

mod create;
mod database;
mod generate;
mod list;
mod revoke;

use clap::{Args, Subcommand};

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::server::database::DatabaseArgs;
use crate::cli::target::Target;
use create::CreateArgs;
use database::KeyDatabase;
use generate::GenerateArgs;
use list::ListArgs;
use revoke::RevokeArgs;

/// Arguments of `longshore key`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Every request needs a key from the time at which the first one was created. Create a key with the
scope admin first.

Examples:
  longshore key create ops --scope admin
  longshore key create shop --scope submit --queue 'shop.*' --expires 90d
  longshore key list
  longshore key revoke shop")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum KeyCommand {
    /// Create a key and print it. It is shown only this once
    Create(CreateArgs),
    /// List the keys, also expired and revoked ones
    List(ListArgs),
    /// Revoke keys: their requests are refused, and their streams and waits end within a second
    Revoke(RevokeArgs),
    /// Print a new key without storing it, for LONGSHORE_FIRST_KEY or first_key_file
    Generate(GenerateArgs),
}

impl KeyArgs {
    /// Returns the server and output options, or `None` for a command that calls no server.
    pub(crate) fn target(&mut self) -> Option<&mut Target> {
        match &mut self.command {
            KeyCommand::Create(args) => Some(&mut args.place.target),
            KeyCommand::List(args) => Some(&mut args.place.target),
            KeyCommand::Revoke(args) => Some(&mut args.place.target),
            KeyCommand::Generate(_) => None,
        }
    }
}

/// Runs a command about keys.
pub(crate) async fn run(args: KeyArgs) -> Result<(), CliError> {
    match args.command {
        KeyCommand::Create(args) => create::run(args).await,
        KeyCommand::List(args) => list::run(args).await,
        KeyCommand::Revoke(args) => revoke::run(args).await,
        KeyCommand::Generate(args) => generate::run(&args),
    }
}

/// Place of the keys: a running server, or the database of one that does not run.
#[derive(Debug, Clone, Args)]
struct Place {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Place {
    /// Does the work with the server if one answers, and otherwise with the database.
    ///
    /// With `--database` only the database is used, and with a URL only the server. `is_new_allowed` is
    /// whether the database may be created.
    async fn act<T>(
        self,
        is_new_allowed: bool,
        on_server: impl AsyncFnOnce(&Client) -> Result<T, CliError>,
        on_database: impl FnOnce(&mut KeyDatabase) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let (client, output) = self.target.open()?;
        if self.database.is_named() {
            if self.target.names_server() {
                let why = "--url and --database name two places of the keys; give only one of them";
                return Err(CliError::Usage(why.into()));
            }
            return on_database(&mut KeyDatabase::open(self.database, is_new_allowed)?);
        }
        match on_server(&client).await {
            Err(CliError::Unreachable { .. }) if !self.target.names_server_anywhere() => {
                let mut database = KeyDatabase::open(self.database, is_new_allowed)?;
                note_database(&output, &client, &database);
                on_database(&mut database)
            }
            done => done,
        }
    }
}

/// Says which database is used, because no server was asked for and none answers.
fn note_database(output: &Output, client: &Client, database: &KeyDatabase) {
    let url = client.base_url();
    output.note(format_args!("no server answers at {url}; using the database {}", database.path()));
}
