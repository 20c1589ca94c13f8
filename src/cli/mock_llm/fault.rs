//! The faults that a call can be made to have.

use std::str::FromStr;

use serde::Deserialize;

/// A way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Fault {
    /// A response with this status is sent at once; 429 and 503 have a `Retry-After` header.
    Status(u16),
    /// The connection is closed after the delay, without a response.
    Hangup,
    /// The connection is closed after the head and half of the body.
    Cut,
    /// The head is sent after the delay, and the body in small parts over ten more delays.
    Slow,
    /// The response has status 200 and a body that is not JSON.
    Garbage,
    /// The response has status 200 and an `error` object with the code 502.
    Error,
    /// The response has status 200 and an empty list of choices.
    Empty,
    /// The response is complete and compressed, although the caller did not ask for it.
    Gzip,
    /// The response has status 429 and the code `insufficient_quota`, as of an account without money.
    Quota,
}

/// The error for a word that is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a status from 400 to 599, hangup, cut, slow, garbage, error, empty, gzip or quota"
)]
pub struct InvalidFault;

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(word: &str) -> Result<Self, InvalidFault> {
        match word {
            "hangup" => Ok(Self::Hangup),
            "cut" => Ok(Self::Cut),
            "slow" => Ok(Self::Slow),
            "garbage" => Ok(Self::Garbage),
            "error" => Ok(Self::Error),
            "empty" => Ok(Self::Empty),
            "gzip" => Ok(Self::Gzip),
            "quota" => Ok(Self::Quota),
            _ => match word.parse() {
                Ok(status @ 400..=599) => Ok(Self::Status(status)),
                _ => Err(InvalidFault),
            },
        }
    }
}

impl TryFrom<String> for Fault {
    type Error = InvalidFault;

    fn try_from(word: String) -> Result<Self, InvalidFault> {
        word.parse()
    }
}

/// A fault that affects a share of all calls.
///
/// The calls are evenly spread and the same in every run: with `429:0.1`, every tenth call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRule {
    /// The fault of the affected calls.
    pub fault: Fault,
    /// Number of affected calls in a million.
    pub per_million: u64,
}

/// One million, the unit of [`FaultRule::per_million`].
const MILLION: u64 = 1_000_000;

/// The error for text that is not a fault rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFaultRule {
    /// The part before the colon is not a fault.
    #[error(transparent)]
    Fault(#[from] InvalidFault),
    /// The part after the colon is not a share.
    #[error("the share after the colon must be above 0 and at most 1, for example 429:0.1")]
    Share,
}

impl FaultRule {
    /// Returns whether the rule affects the call with this number, counted from 1.
    ///
    /// The number of affected calls among the first n is `n * per_million / 1_000_000`, rounded
    /// down. A call is affected if it raises that number.
    pub fn affects(self, number: u64) -> bool {
        let millionths = |number: u64| u128::from(number) * u128::from(self.per_million);
        let million = u128::from(MILLION);
        millionths(number) / million > millionths(number.saturating_sub(1)) / million
    }
}

impl FromStr for FaultRule {
    type Err = InvalidFaultRule;

    /// Parses a rule such as `429:0.1` (every tenth call) or `hangup` (every call).
    fn from_str(text: &str) -> Result<Self, InvalidFaultRule> {
        let (fault, share) = text.split_once(':').unwrap_or((text, "1"));
        let fault = fault.parse()?;
        let share: f64 = share.parse().unwrap_or(f64::NAN);
        let per_million = (share * MILLION as f64).round() as u64;
        let is_share = share > 0.0 && (1..=MILLION).contains(&per_million);
        if is_share { Ok(Self { fault, per_million }) } else { Err(InvalidFaultRule::Share) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_affects_evenly_spread_calls() {
        let rule: FaultRule = "429:0.1".parse().unwrap();
        let affected: Vec<u64> = (1..=30).filter(|number| rule.affects(*number)).collect();
        assert_eq!(affected, [10, 20, 30]);
        let rule: FaultRule = "hangup:0.3".parse().unwrap();
        assert_eq!((1..=1000).filter(|number| rule.affects(*number)).count(), 300);
        let rule: FaultRule = "500".parse().unwrap();
        assert!((1..=5).all(|number| rule.affects(number)));
    }

    #[test]
    fn an_invalid_rule_is_refused() {
        assert!(matches!("teapot:0.1".parse::<FaultRule>(), Err(InvalidFaultRule::Fault(_))));
        for share in ["0", "-1", "1.5", "NaN", "", "many"] {
            let rule = format!("429:{share}");
            assert_eq!(rule.parse::<FaultRule>(), Err(InvalidFaultRule::Share), "{rule}");
        }
        assert_eq!("200".parse::<Fault>(), Err(InvalidFault));
    }
}
