//! Access: which keys may use a route.

use std::fmt;

use crate::auth::principal::Principal;
use crate::auth::scope::{Scope, Scopes};

/// Keys that may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every request, also without a key.
    Public,
    /// Every valid key, for answers that are the same for all of them.
    AnyKey,
    /// Keys with one of these scopes, or with `admin`.
    Scopes(Scopes),
    /// Keys with all of these scopes, or with `admin`.
    EveryScope(Scopes),
    /// Keys with the scope `admin` and without a queue pattern: the route concerns the whole server.
    AllQueues,
}

/// Access of what submits jobs, or cancels one by its id.
pub const SUBMIT: Access = Access::Scopes(Scopes::of(&[Scope::Submit]));
/// Access of what shows one job or batch by its id.
pub const SUBMIT_OR_READ: Access = Access::Scopes(Scopes::of(&[Scope::Submit, Scope::Read]));
/// Access of lists and other shown values.
pub const READ: Access = Access::Scopes(Scopes::of(&[Scope::Read]));
/// Access of what submits jobs and shows lists of them.
pub const SUBMIT_AND_READ: Access = Access::EveryScope(Scopes::of(&[Scope::Submit, Scope::Read]));
/// Access of leases.
pub const WORK: Access = Access::Scopes(Scopes::of(&[Scope::Work]));
/// Access of everything else.
pub const ADMIN: Access = Access::Scopes(Scopes::ADMIN);

impl Access {
    /// Returns whether a request on behalf of `principal` has access.
    pub fn allows(self, principal: &Principal) -> bool {
        match self {
            Self::Public | Self::AnyKey => true,
            Self::Scopes(scopes) => principal.scopes.has_any(scopes),
            Self::EveryScope(scopes) => principal.scopes.has_all(scopes),
            Self::AllQueues => principal.scopes.has_any(Scopes::ADMIN) && principal.queues.is_all(),
        }
    }
}

/// Writes what a key needs, such as `submit or read`.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("no key"),
            Self::AnyKey => f.write_str("any scope"),
            Self::AllQueues => f.write_str("admin without a queue pattern"),
            // Without `admin`, which always does.
            Self::Scopes(scopes) => f.write_str(&names(*scopes).join(" or ")),
            Self::EveryScope(scopes) => f.write_str(&names(*scopes).join(" and ")),
        }
    }
}

fn names(scopes: Scopes) -> Vec<&'static str> {
    scopes.iter().map(Scope::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::access::QueueAccess;

    fn principal(scope: Scope) -> Principal {
        Principal { scopes: Scopes::of(&[scope]), ..Principal::TRUSTED }
    }

    #[test]
    fn admin_may_do_everything_and_a_bound_admin_nothing_about_the_whole_server() {
        let admin = principal(Scope::Admin);
        for access in [
            Access::Public,
            Access::AnyKey,
            SUBMIT,
            READ,
            SUBMIT_AND_READ,
            WORK,
            ADMIN,
            Access::AllQueues,
        ] {
            assert!(access.allows(&admin), "{access}");
        }
        let queues = QueueAccess::of(&["a*".parse().unwrap()]);
        let bound = Principal { queues, ..admin };
        assert!(ADMIN.allows(&bound) && !Access::AllQueues.allows(&bound));
    }

    #[test]
    fn other_scopes_may_do_only_what_names_them() {
        let submit = principal(Scope::Submit);
        assert!(
            SUBMIT.allows(&submit)
                && SUBMIT_OR_READ.allows(&submit)
                && Access::AnyKey.allows(&submit)
        );
        for access in [READ, WORK, ADMIN, SUBMIT_AND_READ, Access::AllQueues] {
            assert!(!access.allows(&submit), "{access}");
        }
        assert_eq!(SUBMIT_OR_READ.to_string(), "submit or read");
        assert_eq!(SUBMIT_AND_READ.to_string(), "submit and read");
        let scopes = Scopes::of(&[Scope::Submit, Scope::Read]);
        assert!(SUBMIT_AND_READ.allows(&Principal { scopes, ..submit }));
    }
}
