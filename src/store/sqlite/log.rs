//! What attempts say while they run: the end of it is kept with the job.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::group::{Applied, Group};
use super::statement::statement;
use super::transaction::Failure;
use crate::job::{JobId, Log};
use crate::store::sql_types::{Integer, Text};
use crate::store::{Answer, LogLines, Refusal};

statement! {
    FindLog -> (Integer, Text) = "SELECT total, text FROM logs WHERE job_id = " [job: Integer as i64]
}

statement! {
    KeepLog<'a> =
    "INSERT INTO logs (job_id, total, text) VALUES (" [job: Integer as i64]
    ", " [total: Integer as i64] ", " [text: Text as &'a str]
    ") ON CONFLICT (job_id) DO UPDATE SET total = excluded.total, text = excluded.text"
}

impl Group<'_> {
    /// Adds to a job's log, where the lease holds under which its attempt runs.
    pub(super) fn log(&mut self, lines: &LogLines) -> Applied {
        let held = self.held_place(lines.lease)?;
        let held = held.filter(|(place, _)| lines.holder.holds(place.lane));
        let (place, _) = held.ok_or(Refusal::StaleLease)?;
        let job = lines.lease.job;
        let mut log = find(self.connection, job)?;
        log.extend(&lines.log);
        let total = i64::try_from(log.to).unwrap_or(i64::MAX);
        KeepLog { job: job.0, total, text: &log.text }.execute(self.connection)?;
        self.note_report(job, place.queue);
        Ok(Answer::Done)
    }
}

/// The log of a job; empty where it has said nothing.
pub(super) fn find(connection: &mut SqliteConnection, job: JobId) -> Result<Log, Failure> {
    let row: Option<(i64, String)> = FindLog { job: job.0 }.get_result(connection).optional()?;
    let Some((total, text)) = row else { return Ok(Log::default()) };
    let to = u64::try_from(total).unwrap_or(0);
    Ok(Log { from: to.saturating_sub(text.len() as u64), to, text })
}
