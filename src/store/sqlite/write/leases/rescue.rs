//! Rescues: requeue jobs whose worker is gone.

use diesel::prelude::*;

use crate::job::outcome::Outcome;
use crate::job::{JobError, Timestamp};
use crate::store::rows::running::LostLeaseRow;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, MoveSummary, RescueScope};

statement! {
    /// Finds expired leases. The third column is the timeout of the job if the attempt used it up; only
    /// in the remote lane, because in local lanes the executor enforces the timeout.
    ExpiredLeases -> (Integer, Integer, Nullable<Integer>) =
    "SELECT id, lease_token,
         CASE WHEN lane = " {Remote} " AND started_at + timeout_ms <= lease_expires_at THEN timeout_ms END
     FROM jobs WHERE state = " {Running} " AND lease_expires_at <= " [by: Integer as i64]
    " ORDER BY lease_expires_at LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds jobs of dead processes and of earlier epochs. `lease_expires_at > 0` is true for every
    /// running job and makes SQLite use their index.
    DeadLeases -> (Integer, Integer, Nullable<Integer>) =
    "SELECT id, lease_token, NULL FROM jobs
     WHERE state = " {Running} " AND lease_expires_at > 0
         AND (lane != " {Remote} " OR lease_token < " [token_floor: Integer as i64]
    ")   LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    NextLeaseEnd -> Nullable<Integer> =
    "SELECT min(lease_expires_at) FROM jobs WHERE state = " {Running} ""
}

statement! {
    NextLeaseEndExcept<'a> -> Nullable<Integer> =
    "SELECT min(lease_expires_at) FROM jobs WHERE state = " {Running}
    " AND id NOT IN (SELECT value FROM json_each(" [jobs: Text as &'a str] "))"
}

impl CommitGroup<'_> {
    pub(crate) fn rescue(&mut self, scope: RescueScope, limit: u32) -> ApplyResult {
        let wanted = limit.into();
        let limit = self.impossible.limit(wanted);
        let (mut leases, message): (Vec<LostLeaseRow>, _) = match scope {
            RescueScope::Expired { by } => {
                let query = ExpiredLeases { by: by.min(self.now).millis(), limit };
                (query.load(self.connection)?, "its worker did not renew the lease in time")
            }
            RescueScope::Dead => {
                self.repair_clock_skew()?;
                let query = DeadLeases { token_floor: self.token_floor, limit };
                (query.load(self.connection)?, "the server stopped while the job was running")
            }
        };
        self.skip_impossible(&mut leases, wanted, |row| row.lease().job.0);
        let mut count = 0;
        let lost = Outcome::Lost(JobError::new("lost", message));
        for row in leases {
            let timeout = row.timeout_error().map(Outcome::Lost);
            let outcome = timeout.as_ref().unwrap_or(&lost);
            let lease = row.lease();
            let settled =
                self.on_row(Some(lease.job), |group| group.settle(lease, outcome, None))?;
            count += usize::from(settled.is_some());
        }
        let next_at: Option<i64> = if self.impossible.has_no_jobs() {
            NextLeaseEnd {}.get_result(self.connection)?
        } else {
            let jobs = &self.impossible.job_ids_json();
            NextLeaseEndExcept { jobs }.get_result(self.connection)?
        };
        Ok(Answer::Moved(MoveSummary { count, next_at: next_at.map(Timestamp::from_millis) }))
    }
}
