//! Scopes: what an API key may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an API key may do. A key has one or more scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Submit jobs, and read, wait for and cancel them by id.
    Submit,
    /// Read everything that is shown: lists, pages, events, statistics, kinds.
    Read,
    /// Lease jobs, and renew and finish the leases.
    Work,
    /// Everything, including the settings of queues, and the keys.
    Admin,
}

/// Error for a text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be submit, read, work or admin")]
pub struct UnknownScope;

impl Scope {
    /// All scopes, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Submit, Self::Read, Self::Work, Self::Admin];

    /// Returns the name of the scope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Work => "work",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

impl Scopes {
    /// The scope `admin`, which includes all others.
    pub const ADMIN: Self = Self::of(&[Scope::Admin]);

    /// Returns the set of these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < scopes.len() {
            bits |= 1 << scopes[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Returns the scopes in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & 1 << *scope as u8 != 0)
    }

    /// Returns whether the set has no scope.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether the set has one of `allowed`, or `admin`.
    pub fn has_any(self, allowed: Self) -> bool {
        self.0 & (allowed.0 | Self::ADMIN.0) != 0
    }

    /// Returns whether the set has all of `needed`, or `admin`.
    pub fn has_all(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0 || self.has_any(Self::ADMIN)
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        Self::of(&scopes)
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

/// Writes the names with commas in between.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_includes_every_scope_and_the_others_only_themselves() {
        let submit = Scopes::of(&[Scope::Submit]);
        assert!(submit.has_any(Scopes::of(&[Scope::Read, Scope::Submit])));
        assert!(!submit.has_any(Scopes::of(&[Scope::Read, Scope::Work])));
        let both = Scopes::of(&[Scope::Read, Scope::Submit]);
        assert!(!submit.has_all(both) && both.has_all(both) && both.has_all(submit));
        assert!(Scopes::ADMIN.has_all(both) && !both.has_all(Scopes::ADMIN));
        for scope in Scope::ALL {
            assert!(Scopes::ADMIN.has_any(Scopes::of(&[scope])), "{scope}");
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert_eq!("all".parse::<Scope>(), Err(UnknownScope));
    }

    #[test]
    fn a_set_is_a_list_of_names_in_one_order() {
        let scopes: Scopes = serde_json::from_str(r#"["work", "submit"]"#).unwrap();
        assert_eq!(serde_json::to_string(&scopes).unwrap(), r#"["submit","work"]"#);
        assert_eq!(scopes.to_string(), "submit, work");
    }
}
