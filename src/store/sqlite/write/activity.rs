//! The time of the last activity, and the probe of the database.

use diesel::prelude::*;

use crate::store::Answer;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;

statement! {
    RecordActivity = "UPDATE activity SET active_at = " [now: Integer as i64]
}

statement! {
    /// Changes the page in any case: SQLite does not write a row that stays the same.
    Probe = "UPDATE activity SET probes = (probes + 1) % 1000"
}

impl CommitGroup<'_> {
    /// Applies [`Write::RecordActivity`](crate::store::Write::RecordActivity).
    pub(crate) fn record_activity(&mut self) -> ApplyResult {
        RecordActivity { now: self.now.millis() }.execute(self.connection)?;
        Ok(Answer::Done)
    }

    /// Applies [`Write::Probe`](crate::store::Write::Probe).
    pub(crate) fn probe(&mut self) -> ApplyResult {
        Probe {}.execute(self.connection)?;
        Ok(Answer::Done)
    }
}
