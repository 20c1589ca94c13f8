//! What the words of an error say about another call.

/// What a word says about another call with the same body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The account cannot be used until somebody acts, whatever the status is. The word is unmistakable:
    /// it says so in a sentence too.
    Blocked,
    /// The same, and for the model or the input, if the word is a code. In a sentence it may be advice:
    /// `Rate limit reached. Visit .../billing to raise it.`
    BlockedIfCode,
    /// The call itself is refused.
    Refused,
    /// The server is busy or broken for a while, or the limit of a time span is reached.
    Temporary,
}

use Meaning::{Blocked, BlockedIfCode, Refused, Temporary};

/// Parts of words and what they mean. If a word has several parts, the first one in this list counts.
/// Words are compared in lowercase without separators.
const MEANINGS: [(&str, Meaning); 55] = [
    ("insufficientquota", Blocked),
    ("insufficientbalance", Blocked),
    ("insufficientcredit", Blocked),
    ("insufficientfunds", Blocked),
    ("creditbalanceistoolow", Blocked),
    ("invalidapikey", Blocked),
    ("incorrectapikey", Blocked),
    ("apikeynotvalid", Blocked),
    ("accountdeactivated", Blocked),
    ("accountsuspended", Blocked),
    ("accessterminated", Blocked),
    ("creditbalance", BlockedIfCode),
    ("billing", BlockedIfCode),
    ("paymentrequired", BlockedIfCode),
    ("authenticationerror", BlockedIfCode),
    ("modelnotfound", BlockedIfCode),
    ("contextlength", BlockedIfCode),
    ("authentication", Refused),
    ("unauthorized", Refused),
    ("unauthenticated", Refused),
    ("permission", Refused),
    ("forbidden", Refused),
    ("accessdenied", Refused),
    ("notfound", Refused),
    ("doesnotexist", Refused),
    ("invalidrequest", Refused),
    ("invalidargument", Refused),
    ("invalidparameter", Refused),
    ("invalidvalue", Refused),
    ("invalidprompt", Refused),
    ("badrequest", Refused),
    ("validation", Refused),
    ("unprocessable", Refused),
    ("unsupported", Refused),
    ("contentpolicy", Refused),
    ("contentfilter", Refused),
    ("moderation", Refused),
    ("ratelimit", Temporary),
    ("perminute", Temporary),
    ("persecond", Temporary),
    ("toomanyrequests", Temporary),
    ("throttl", Temporary),
    ("overload", Temporary),
    ("capacity", Temporary),
    ("resourceexhausted", Temporary),
    ("unavailable", Temporary),
    ("timeout", Temporary),
    ("timedout", Temporary),
    ("deadline", Temporary),
    ("servererror", Temporary),
    ("internal", Temporary),
    ("apierror", Temporary),
    ("badgateway", Temporary),
    ("upstream", Temporary),
    ("busy", Temporary),
];

/// Returns what a code such as `insufficient_quota` or `RateLimitError` means, if it is known.
pub(super) fn meaning_of_code(code: &str) -> Option<Meaning> {
    meaning(code, |_| true)
}

/// Returns what a sentence means, if it has a known word. A word that may be advice counts only if no
/// word says that the error passes.
pub(super) fn meaning_of_sentence(sentence: &str) -> Option<Meaning> {
    meaning(sentence, |meaning| matches!(meaning, Blocked | Temporary))
        .or_else(|| meaning(sentence, |meaning| meaning == BlockedIfCode))
}

fn meaning(text: &str, counts: impl Fn(Meaning) -> bool) -> Option<Meaning> {
    let text = normalised(text);
    let mut found = MEANINGS.iter().filter(|(part, meaning)| counts(*meaning) && text.contains(part));
    found.next().map(|(_, meaning)| *meaning)
}

/// Returns a text in lowercase without separators: `RateLimitError` and `rate_limit_error` become
/// `ratelimiterror`.
fn normalised(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_meaning_in_the_list_counts() {
        for (code, expected) in [
            ("insufficient_quota", Some(Blocked)),
            ("billing_hard_limit_reached", Some(BlockedIfCode)),
            ("authentication_error", Some(BlockedIfCode)),
            ("invalid_request_error", Some(Refused)),
            ("RateLimitError", Some(Temporary)),
            ("requests", None),
            ("", None),
        ] {
            assert_eq!(meaning_of_code(code), expected, "{code}");
        }
    }

    #[test]
    fn advice_in_a_sentence_does_not_outweigh_a_limit_that_passes() {
        for (sentence, expected) in [
            ("Rate limit reached. Add a payment method at /billing.", Some(Temporary)),
            ("context length of 8k per minute exceeded", Some(Temporary)),
            ("Rate limit reached: insufficient_quota", Some(Blocked)),
            ("Your credit balance is too low", Some(Blocked)),
            ("This model's maximum context length is 8192 tokens", Some(BlockedIfCode)),
            ("The request is not supported", None),
        ] {
            assert_eq!(meaning_of_sentence(sentence), expected, "{sentence}");
        }
    }
}
