//! Logs of jobs: the last lines that their attempts wrote.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::{JobId, Log};
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, LogLines, Refusal};

statement! {
    FindLog -> (Integer, Text) = "SELECT total, text FROM logs WHERE job_id = " [job: Integer as i64]
}

statement! {
    UpsertLog<'a> =
    "INSERT INTO logs (job_id, total, text) VALUES (" [job: Integer as i64]
    ", " [total: Integer as i64] ", " [text: Text as &'a str]
    ") ON CONFLICT (job_id) DO UPDATE SET total = excluded.total, text = excluded.text"
}

impl CommitGroup<'_> {
    /// Appends lines to the log of a job that runs under a held lease.
    pub(crate) fn log(&mut self, lines: &LogLines) -> ApplyResult {
        self.check_owner(lines.holder, lines.lease.job)?;
        let running = self.running_location(lines.lease)?;
        let running = running.filter(|(location, _)| lines.holder.holds(location.lane));
        let (location, _) = running.ok_or(Refusal::StaleLease)?;
        let job = lines.lease.job;
        let mut log = find(self.connection, job)?;
        log.extend(&lines.log);
        let total = i64::try_from(log.to).unwrap_or(i64::MAX);
        UpsertLog { job: job.0, total, text: &log.text }.execute(self.connection)?;
        self.changes.push_report(job, location.queue);
        Ok(Answer::Done)
    }
}

/// Returns the stored log of a job; empty if it has none.
pub(crate) fn find(connection: &mut SqliteConnection, job: JobId) -> Result<Log, TransactionError> {
    let row: Option<(i64, String)> = FindLog { job: job.0 }.get_result(connection).optional()?;
    let Some((total, text)) = row else { return Ok(Log::default()) };
    let to = u64::try_from(total).unwrap_or(0);
    Ok(Log { from: to.saturating_sub(text.len() as u64), to, text })
}
