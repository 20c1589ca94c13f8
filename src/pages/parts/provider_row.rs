//! A provider as a row of a table.

use crate::api::providers::{Provider, ProviderHealth};
use crate::job::{JobError, Timestamp};
use crate::pages::parts::number::Count;
use crate::pages::parts::time::RelativeTime;

/// A provider as a row of `parts/provider_rows.html`.
pub(crate) struct ProviderRow {
    pub(crate) name: String,
    pub(crate) state: &'static str,
    /// Whether the state needs attention.
    pub(crate) is_held: bool,
    /// End of the pause.
    pub(crate) until: Option<RelativeTime>,
    /// Maximum number of calls at once until the provider has recovered.
    pub(crate) max_running_now: Option<u32>,
    pub(crate) queued: Count,
    pub(crate) running: Count,
    pub(crate) limits: String,
    pub(crate) refusals: Option<Refusals>,
}

/// The refused calls of a provider since it worked.
pub(crate) struct Refusals {
    pub(crate) count: u32,
    pub(crate) since: RelativeTime,
    pub(crate) latest: JobError,
}

impl ProviderRow {
    pub(crate) fn new(provider: &Provider, now: Timestamp) -> Self {
        let relative = |at| RelativeTime::new(at, now);
        let refusals = match (provider.refused, provider.refused_since, &provider.error) {
            (Some(count), Some(since), Some(error)) => {
                Some(Refusals { count, since: relative(since), latest: error.clone() })
            }
            _ => None,
        };
        let (state, is_held) = match provider.state {
            _ if !provider.is_configured => ("not configured", true),
            ProviderHealth::Paused => ("paused", true),
            ProviderHealth::Recovering => ("recovering", true),
            ProviderHealth::Starting => ("starting", false),
            ProviderHealth::Ok => ("ok", false),
        };
        Self {
            name: provider.name.to_string(),
            state,
            is_held,
            until: provider.paused_until.map(relative),
            max_running_now: provider.max_running_now,
            queued: Count::new(provider.queued.into()),
            running: Count::new(provider.running.into()),
            limits: limits(provider),
            refusals,
        }
    }
}

/// Describes the limits of a provider.
fn limits(provider: &Provider) -> String {
    let at_once = provider.max_running.map(|max| format!("{max} at once"));
    let per_minute = provider.requests_per_minute.map(|max| format!("{max} per minute"));
    match (at_once, per_minute) {
        (Some(at_once), Some(per_minute)) => format!("{at_once}, {per_minute}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "none".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;
    use crate::job::limit::provider::{ProviderLimits, ProviderState};

    const LIMITS: ProviderLimits =
        ProviderLimits { max_running: Some(5), requests_per_minute: Some(60) };

    fn row(limits: Option<ProviderLimits>, state: &ProviderState, millis: i64) -> ProviderRow {
        let now = Timestamp::from_millis(millis);
        let name = "local".parse().unwrap();
        ProviderRow::new(&Provider::new(name, limits, state, now), now)
    }

    #[test]
    fn a_provider_is_starting_then_paused_then_recovering_then_ok() {
        let mut state = ProviderState::new();
        let small = row(Some(LIMITS), &state, 0);
        assert_eq!((small.state, small.max_running_now), ("ok", None), "5 at once is less than 16");
        assert_eq!(small.limits, "5 at once, 60 per minute");
        let new = row(Some(ProviderLimits::default()), &state, 0);
        assert_eq!((new.state, new.is_held), ("starting", false));
        assert_eq!((new.max_running_now, new.limits.as_str()), (Some(16), "none"));
        let error = JobError::new("http_status", "the server answered 429");
        state.refuse(Span::from_secs(2), &error, Timestamp::from_millis(0));
        let paused = row(Some(LIMITS), &state, 1_000);
        assert_eq!((paused.state, paused.max_running_now), ("paused", None));
        assert!(paused.until.unwrap().to_string().contains("in 1 s"));
        let refusals = paused.refusals.unwrap();
        assert_eq!((refusals.count, refusals.latest), (1, error));
        let recovering = row(Some(LIMITS), &state, 2_000);
        assert_eq!((recovering.state, recovering.max_running_now), ("recovering", Some(1)));
        state.succeed(600, LIMITS, Timestamp::from_millis(2_000));
        let ok = row(Some(LIMITS), &state, 2_000);
        assert_eq!((ok.state, ok.is_held, ok.max_running_now), ("ok", false, None));
        assert!(ok.refusals.is_none());
    }

    #[test]
    fn a_provider_without_a_configuration_says_so() {
        let row = row(None, &ProviderState::default(), 0);
        assert_eq!((row.state, row.is_held, row.limits.as_str()), ("not configured", true, "none"));
    }
}
