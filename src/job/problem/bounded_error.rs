//! Errors of a deserializer that repeat only the start of what they refuse.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::job::problem::short::{Short, quotable};

/// An error of a deserializer, whose message is bounded when it is made.
///
/// serde's messages repeat the whole text that is refused: `invalid type: string "..."`.
#[derive(Debug)]
pub struct Bounded<E>(pub E);

impl<E> Bounded<E> {
    /// Returns the error of the deserializer itself.
    pub fn inner(self) -> E {
        self.0
    }
}

impl<E: fmt::Display> fmt::Display for Bounded<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error> std::error::Error for Bounded<E> {}

impl<E: de::Error> de::Error for Bounded<E> {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(E::custom(Short::<_>(message)))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(match found {
            Unexpected::Str(text) => {
                E::invalid_type(Unexpected::Str(&quotable(text)), expected)
            }
            other => E::invalid_type(other, expected),
        })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(match found {
            Unexpected::Str(text) => {
                E::invalid_value(Unexpected::Str(&quotable(text)), expected)
            }
            other => E::invalid_value(other, expected),
        })
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self(E::invalid_length(length, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(E::unknown_variant(&quotable(variant), expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(E::unknown_field(&quotable(field), expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(E::missing_field(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(E::duplicate_field(field))
    }
}
