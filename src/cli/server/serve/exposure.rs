//! Refuses to listen where other machines can connect while no key exists.

use crate::cli::server::serve::error::ServeError;
use crate::config::ListenAddress;

/// Fails if other machines can reach a listener and no key is required from them.
///
/// With `insecure`, the operator has asked for that; a line in the log warns at every start.
pub(super) fn check(
    listeners: &[ListenAddress],
    has_keys: bool,
    insecure: bool,
) -> Result<(), ServeError> {
    let Some(listen) = exposed(listeners) else { return Ok(()) };
    if has_keys {
        return Ok(());
    }
    if !insecure {
        return Err(ServeError::Exposed { listen: listen.clone() });
    }
    tracing::warn!(
        listen = %listen,
        "no key is required, and other machines can reach this address: they can submit, read and change \
         every job and run the configured programs (--insecure-no-keys)"
    );
    Ok(())
}

/// Returns whether other machines can reach a listener.
pub(super) fn is_exposed(listeners: &[ListenAddress]) -> bool {
    exposed(listeners).is_some()
}

fn exposed(listeners: &[ListenAddress]) -> Option<&ListenAddress> {
    listeners.iter().find(|listen| !listen.is_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(listeners: &[&str], has_keys: bool, insecure: bool) -> Result<(), String> {
        let listeners: Vec<_> = listeners.iter().map(|text| text.parse().unwrap()).collect();
        check(&listeners, has_keys, insecure).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_of_other_machines_needs_a_key_or_the_word_of_the_operator() {
        let exposed = ["unix:/a", "127.0.0.1:1", "0.0.0.0:2", "[::]:3"];
        let error = checked(&exposed, false, false).unwrap_err();
        assert_eq!(
            error,
            "listening on 0.0.0.0:2, which other machines can reach, needs a key; create one with \
             'longshore key create NAME --scope admin', or start with --insecure-no-keys"
        );
        assert_eq!(checked(&exposed, true, false), Ok(()));
        assert_eq!(checked(&exposed, false, true), Ok(()));
    }

    #[test]
    fn addresses_of_this_machine_need_no_key() {
        let local = ["unix:/a?mode=0666", "127.0.0.1:1", "[::1]:2", "[::ffff:127.0.0.1]:3"];
        assert_eq!(checked(&local, false, false), Ok(()));
    }
}
