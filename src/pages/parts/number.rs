//! Numbers formatted for people.

use std::fmt;

use askama::filters::HtmlSafe;

/// A whole number with commas between thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(i64);

impl Count {
    pub(crate) fn new(number: i64) -> Self {
        Self(number)
    }

    /// Converts an unsigned number. Numbers above `i64::MAX` are shown as `i64::MAX`.
    pub(crate) fn from_u64(number: u64) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl HtmlSafe for Count {}

/// A number with about three significant digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Amount(pub(crate) f64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0;
        if amount == amount.trunc() || amount >= 100.0 {
            return Count::new(amount.round() as i64).fmt(f);
        }
        let digits = if amount >= 10.0 { 1 } else { 2 };
        let text = format!("{amount:.digits$}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl HtmlSafe for Amount {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_by_commas() {
        let text = |number| Count::new(number).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(999), "999");
        assert_eq!(text(1_000), "1,000");
        assert_eq!(text(-12_345_678), "-12,345,678");
    }

    #[test]
    fn an_amount_has_about_three_significant_digits() {
        let text = |number| Amount(number).to_string();
        assert_eq!(text(0.0), "0");
        assert_eq!(text(0.126), "0.13");
        assert_eq!(text(0.5), "0.5");
        assert_eq!(text(12.34), "12.3");
        assert_eq!(text(20_123.4), "20,123");
    }
}
