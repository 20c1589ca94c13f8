//! Reads of the attempts of a job.

use std::cmp::Ordering;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::{Attempt, AttemptDetail, Failure, Job, State};
use crate::store::rows::attempt::{AttemptRow, FailureRow};
use crate::store::schema::attempts;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::transaction::TransactionError;

statement! {
    FindFailures -> Columns<FailureRow> =
    "SELECT attempt, ended_at, code, message FROM attempts
     WHERE job_id = " [job: Integer as i64] " AND state = " {Failed} " ORDER BY lease_token"
}

/// Adds attempts and failures to a job, whose latest lease has the token `latest_token`.
///
/// Most completed attempts, and those that run, have no row: their job has all that is known.
pub(super) fn add_to(
    connection: &mut SqliteConnection,
    job: &mut Job,
    latest_token: i64,
) -> Result<(), TransactionError> {
    let rows: Vec<AttemptRow> = if job.attempt == 0 {
        Vec::new()
    } else {
        attempts::table
            .filter(attempts::job_id.eq(job.id.0))
            .order(attempts::lease_token)
            .select(AttemptRow::as_select())
            .load(connection)?
    };
    // The job may have changed since it was read: attempts that ended after that are left out.
    let is_running = job.state == State::Running;
    let had_ended = |row: &AttemptRow| match row.lease_token.cmp(&latest_token) {
        Ordering::Less => true,
        Ordering::Equal => !is_running,
        Ordering::Greater => false,
    };
    let rows: Vec<AttemptRow> = rows.into_iter().filter(had_ended).collect();
    let has_latest = rows.last().is_some_and(|row| row.lease_token == latest_token);
    let mut list: Vec<Attempt> = Vec::with_capacity(rows.len() + 1);
    for row in rows {
        list.push(row.into_attempt()?);
    }
    if !has_latest && matches!(job.state, State::Running | State::Completed) {
        list.push(latest_of(job));
    }
    job.failures = Some(list.iter().filter_map(failure_of).collect());
    job.attempts = Some(list);
    Ok(())
}

/// Returns the latest attempt of a running or completed job.
fn latest_of(job: &Job) -> Attempt {
    Attempt {
        attempt: job.attempt,
        state: job.state,
        started_at: job.started_at,
        ended_at: job.finished_at,
        worker: job.worker.clone(),
        code: None,
        message: None,
        detail: AttemptDetail::default(),
    }
}

fn failure_of(attempt: &Attempt) -> Option<Failure> {
    if attempt.state != State::Failed {
        return None;
    }
    let error = crate::job::JobError {
        code: attempt.code.clone().unwrap_or_default(),
        message: attempt.message.clone().unwrap_or_default(),
    };
    Some(Failure { attempt: attempt.attempt, at: attempt.ended_at?, error })
}

/// Returns the failures of a job, without a query if it cannot have any.
pub(super) fn failures(
    connection: &mut SqliteConnection,
    job: &Job,
) -> Result<Vec<Failure>, TransactionError> {
    // A first attempt that is running or has completed has no failures. The error column does not
    // show it, because a retry and a release clear it.
    let is_running_or_completed = matches!(job.state, State::Running | State::Completed);
    let may_have_failures = job.attempt > 1 || job.attempt == 1 && !is_running_or_completed;
    if !may_have_failures {
        return Ok(Vec::new());
    }
    let rows: Vec<FailureRow> = FindFailures { job: job.id.0 }.load(connection)?;
    Ok(rows.into_iter().map(Failure::from).collect())
}
