//! `longshore key revoke`: revokes API keys.

use clap::Args;

use crate::auth::api_key::ApiKey;
use crate::auth::hidden;
use crate::auth::key_id::KeyId;
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::cli::server::database::place::Place;

/// Arguments of `longshore key revoke`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A name means the key with that name that is not revoked. A key cannot be accepted again; create
another one. When the last key is revoked, the server refuses every request that needs one.

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

/// Revokes a key and prints it.
pub(super) async fn run(args: RevokeArgs) -> Result<(), CliError> {
    let output = args.place.target.output();
    let wanted = args.wanted.as_str();
    let key = args
        .place
        .act(
            false,
            async |client| {
                let id = find(wanted, &client.keys().await?.value.keys)?;
                Ok(client.revoke_key(id).await?.value)
            },
            |database| {
                let id = find(wanted, &database.keys()?)?;
                database.revoke_key(id)
            },
        )
        .await?;
    if output.json {
        return output.json(&key);
    }
    output.line(format_args!("key {} is revoked: {}", key.id, show::plain(key.name.as_str())))
}

/// Returns the id of the key with this id, or else with this name.
fn find(wanted: &str, keys: &[ApiKey]) -> Result<KeyId, CliError> {
    let id = wanted.parse::<KeyId>().ok();
    let by_id = keys.iter().find(|key| Some(key.id) == id);
    let named = |key: &&ApiKey| key.name.as_str() == wanted;
    let by_name = || keys.iter().find(|key| named(key) && key.revoked_at.is_none());
    if let Some(key) = by_id.or_else(by_name) {
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
        assert_eq!(found("2"), Ok(2), "an id comes before a name");
        assert_eq!(found("9"), Ok(4));
        assert_eq!(found("old"), Err("the key old is revoked already".into()));
        assert_eq!(found("7"), Err("the key 7 does not exist".into()));
        let secret = KeySecret::from_random([7; 32]);
        let hidden = "the key (hidden: it looks like a key) does not exist";
        assert_eq!(found(secret.reveal()), Err(hidden.into()));
    }
}
