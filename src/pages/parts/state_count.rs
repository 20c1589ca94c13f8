//! The number of jobs in each state, with a link to them.

use crate::job::State;
use crate::job::queue::StateCounts;
use crate::pages::parts::job_row::StateBadge;
use crate::pages::parts::number::Count;
use crate::pages::parts::query::query_string;

/// Number of jobs in a state, with the query string of the job list that shows them.
pub(crate) struct StateCount {
    pub(crate) state: StateBadge,
    pub(crate) count: Count,
    pub(crate) query: String,
}

impl StateCount {
    /// Returns the counts of a queue or a batch in every state. `filter` is the field of the job list
    /// that selects its jobs, and the value of this field.
    pub(crate) fn all(counts: StateCounts, (name, value): (&str, &str)) -> Vec<Self> {
        let count = |state: State| Self {
            state: StateBadge(state),
            count: Count::new(counts.get(state)),
            query: query_string(&[
                ("state", Some(state.to_string())),
                (name, Some(value.to_owned())),
            ]),
        };
        State::ALL.into_iter().map(count).collect()
    }
}
