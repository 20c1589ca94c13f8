//! The ways in which a call can be made to fail.

use std::str::FromStr;

use serde::Deserialize;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Fault {
    /// An answer with this status, at once; 429 and 503 carry `Retry-After`.
    Status(u16),
    /// The connection closes after the delay, with no answer at all.
    Hangup,
    /// The connection closes after the head and half of the body.
    Cut,
    /// The head comes after the delay, the body a bit at a time over ten delays more.
    Slow,
    /// Status 200, and a body that is no JSON.
    Garbage,
}

/// A word that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a fault: a status from 400 to 599, hangup, cut, slow or garbage")]
pub struct NotAFault;

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(word: &str) -> Result<Self, NotAFault> {
        match word {
            "hangup" => Ok(Self::Hangup),
            "cut" => Ok(Self::Cut),
            "slow" => Ok(Self::Slow),
            "garbage" => Ok(Self::Garbage),
            _ => match word.parse() {
                Ok(status @ 400..=599) => Ok(Self::Status(status)),
                _ => Err(NotAFault),
            },
        }
    }
}

impl TryFrom<String> for Fault {
    type Error = NotAFault;

    fn try_from(word: String) -> Result<Self, NotAFault> {
        word.parse()
    }
}

/// A fault that strikes a part of all requests, evenly spread and the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRule {
    /// What strikes.
    pub fault: Fault,
    /// How many of a million requests it strikes.
    pub per_million: u64,
}

/// One million, the unit of [`FaultRule::per_million`].
const MILLION: u64 = 1_000_000;

/// A text that is no fault rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARule {
    /// Its first part names no fault.
    #[error(transparent)]
    Fault(#[from] NotAFault),
    /// Its second part is no share.
    #[error("the share behind the colon lies above 0 and is at most 1, for example 429:0.1")]
    Share,
}

impl FaultRule {
    /// Whether it strikes the request with this number, counted from 1.
    pub fn strikes(self, number: u64) -> bool {
        let struck_by = |number: u64| u128::from(number) * u128::from(self.per_million);
        let million = u128::from(MILLION);
        struck_by(number) / million > struck_by(number.saturating_sub(1)) / million
    }
}

impl FromStr for FaultRule {
    type Err = NotARule;

    /// Reads `429:0.1`, every tenth request, or `hangup`, every request.
    fn from_str(text: &str) -> Result<Self, NotARule> {
        let (fault, share) = text.split_once(':').unwrap_or((text, "1"));
        let fault = fault.parse()?;
        let share: f64 = share.parse().unwrap_or(f64::NAN);
        let per_million = (share * MILLION as f64).round() as u64;
        let is_share = share > 0.0 && (1..=MILLION).contains(&per_million);
        if is_share { Ok(Self { fault, per_million }) } else { Err(NotARule::Share) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_evenly() {
        let rule: FaultRule = "429:0.1".parse().unwrap();
        let struck: Vec<u64> = (1..=30).filter(|number| rule.strikes(*number)).collect();
        assert_eq!(struck, [10, 20, 30]);
        let rule: FaultRule = "hangup:0.3".parse().unwrap();
        assert_eq!((1..=1000).filter(|number| rule.strikes(*number)).count(), 300);
        let rule: FaultRule = "500".parse().unwrap();
        assert!((1..=5).all(|number| rule.strikes(number)));
    }

    #[test]
    fn a_bad_rule_is_refused() {
        assert!(matches!("teapot:0.1".parse::<FaultRule>(), Err(NotARule::Fault(_))));
        for share in ["0", "-1", "1.5", "NaN", "", "many"] {
            let rule = format!("429:{share}");
            assert_eq!(rule.parse::<FaultRule>(), Err(NotARule::Share), "{rule}");
        }
        assert_eq!("200".parse::<Fault>(), Err(NotAFault));
    }
}
