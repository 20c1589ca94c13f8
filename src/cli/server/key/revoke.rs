//! `longshore key revoke`: revokes API keys.

use clap::Args;

use crate::auth::api_key::{ApiKey, can_make_keys};
use crate::auth::hidden;
use crate::auth::key_id::KeyId;
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::server::database::place::Place;
use crate::clock::Clock;

/// Arguments of `longshore key revoke`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A name means the key with that name that is not revoked. A key cannot be accepted again; create
another one. When the last key is revoked, the server refuses every request that needs one. To get in
again, stop the server and create a key with --database.

Examples:
  longshore key revoke shop
  longshore key revoke 3")]
pub(super) struct RevokeArgs {
    /// ID or name of the key
    #[arg(value_name = "ID|NAME")]
    wanted: String,
    #[command(flatten)]
    pub(super) place: Place,
}

/// Note after the last key was revoked that could make others.
const NO_ADMIN: &str = "no valid key can create keys now; to get in again, stop the server and run \
    'longshore key create NAME --scope admin --database FILE'";

/// Revokes a key and prints it.
pub(super) async fn run(args: RevokeArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let wanted = args.wanted.as_str();
    let (key, others) = args
        .place
        .act(
            false,
            async |client| {
                let keys = client.keys().await?.value.keys;
                let id = find(wanted, &keys)?;
                Ok((client.revoke_key(id).await?.value, keys))
            },
            |database| {
                let keys = database.keys()?;
                let id = find(wanted, &keys)?;
                Ok((database.revoke_key(id)?, keys))
            },
        )
        .await?;
    if key.is_unbound_admin()
        && !can_make_keys(others.iter().filter(|other| other.id != key.id), Clock::system().now())
    {
        output.note(format_args!("{NO_ADMIN}"));
    }
    if output.json {
        return output.json(&key);
    }
    output.line(format_args!("key {} is revoked: {}", key.id, show::plain(key.name.as_str())))
}

/// Returns the id of the key with this id or this name.
///
/// # Errors
/// Returns an error if there is none, or if the id is that of one key and the name that of another, as a name of
/// digits can be that an earlier version has accepted.
fn find(wanted: &str, keys: &[ApiKey]) -> Result<KeyId, CliError> {
    let id = wanted.parse::<KeyId>().ok();
    let by_id = keys.iter().find(|key| Some(key.id) == id);
    let named = |key: &&ApiKey| key.name.as_str() == wanted;
    let by_name = keys.iter().find(|key| named(key) && key.revoked_at.is_none());
    if let (Some(by_id), Some(by_name)) = (by_id, by_name)
        && by_id.id != by_name.id
    {
        let (name, other) = (show::plain(by_id.name.as_str()), by_name.id);
        return Err(CliError::Usage(format!(
            "{wanted} is the id of the key {name} and the name of the key with the id {other}; \
             give the name {name} or the id {other}"
        )));
    }
    if let Some(key) = by_id.or(by_name) {
        return Ok(key.id);
    }
    let is_revoked = keys.iter().any(|key| named(&key));
    let why = if is_revoked { "is revoked already" } else { "does not exist" };
    let wanted = if hidden::has_secret(wanted) { hidden::HIDDEN.into() } else { show::plain(wanted) };
    Err(CliError::Usage(format!("the key {wanted} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scope::Scopes;
    use crate::auth::secret::KeySecret;
    use crate::job::Timestamp;

    fn key(id: i64, name: &str, is_revoked: bool) -> ApiKey {
        let at = Timestamp::from_millis(0);
        ApiKey {
            id: KeyId(id),
            name: name.parse().unwrap(),
            scopes: Scopes::ADMIN,
            queues: Vec::new(),
            created_at: at,
            expires_at: None,
            revoked_at: is_revoked.then_some(at),
            last_used_at: None,
        }
    }

    #[test]
    fn a_key_is_found_by_its_id_and_else_by_the_name_that_is_not_revoked() {
        let keys = [key(1, "shop", true), key(2, "shop", false), key(3, "2", false), key(4, "9", false)];
        let keys = [&keys[..], &[key(5, "old", true)]].concat();
        let found = |wanted| find(wanted, &keys).map(|id| id.0).map_err(|error| error.to_string());
        assert_eq!(found("shop"), Ok(2));
        assert_eq!(found("1"), Ok(1));
        let both = "2 is the id of the key shop and the name of the key with the id 3; \
            give the name shop or the id 3";
        assert_eq!(found("2"), Err(both.into()));
        assert_eq!(found("3"), Ok(3));
        assert_eq!(found("9"), Ok(4));
        assert_eq!(found("old"), Err("the key old is revoked already".into()));
        assert_eq!(found("7"), Err("the key 7 does not exist".into()));
        let secret = KeySecret::from_random([7; 32]);
        let hidden = "the key (hidden: it looks like a key) does not exist";
        assert_eq!(found(secret.reveal()), Err(hidden.into()));
    }
}
