//! Submitting: check everything, then one write.

use std::sync::Arc;

use crate::job::batch::{Batch, MAX_NAME_LEN};
use crate::job::problem::Problem;
use crate::job::{Job, Lane, NewJob, Submission, Timestamp};
use crate::server::error::Error;
use crate::server::handle::{Handle, Idempotent};
use crate::store::{Answer, IdempotencyKey, NewBatch, Refusal, Submit, Submitted, Write};

/// What a job weighs beside its payload, roughly, in bytes.
const JOB_WEIGHT: usize = 256;

impl Handle {
    /// Submits one job. It is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every problem found, or why it was not stored.
    pub async fn submit(&self, submission: Submission) -> Result<Job, Error> {
        Ok(self.submit_keyed(submission, None).await?.value)
    }

    /// Submits one job, or finds the one that was submitted with the same key before.
    ///
    /// # Errors
    /// As [`Handle::submit`]; [`Error::Refused`] where the key was used with another body.
    pub async fn submit_keyed(
        &self,
        submission: Submission,
        key: Option<IdempotencyKey>,
    ) -> Result<Idempotent<Job>, Error> {
        let now = self.clock().now();
        let jobs: Arc<[NewJob]> =
            Arc::new([self.check(submission, now).map_err(Error::Invalid)?]);
        let submitted = self.store(Arc::clone(&jobs), key, None).await?;
        let value = match submitted.is_repeat {
            true => self.read_job(submitted.first).await?,
            false => jobs[0].inserted(submitted.first, submitted.at),
        };
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    /// Submits many jobs in one transaction: all or none. They come back in their order.
    ///
    /// # Errors
    /// As [`Handle::submit_keyed`]; pointers begin with the number of the job, from 0.
    pub async fn submit_many(
        &self,
        submissions: Vec<Submission>,
        key: Option<IdempotencyKey>,
    ) -> Result<Idempotent<Vec<Job>>, Error> {
        let jobs = self.check_all(submissions, "")?;
        let submitted = self.store(Arc::clone(&jobs), key, None).await?;
        let mut value = Vec::with_capacity(submitted.count);
        for (id, job) in submitted.ids().zip(jobs.iter()) {
            match submitted.is_repeat {
                true => match self.read_job(id).await {
                    Ok(job) => value.push(job),
                    // One that was deleted since is left out.
                    Err(Error::Refused(Refusal::NoJob(_))) => {}
                    Err(error) => return Err(error),
                },
                false => value.push(job.inserted(id, submitted.at)),
            }
        }
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    /// Submits jobs as a batch, in one transaction.
    ///
    /// # Errors
    /// As [`Handle::submit_many`]; pointers begin with `/jobs`.
    pub async fn submit_batch(
        &self,
        name: Option<String>,
        submissions: Vec<Submission>,
        key: Option<IdempotencyKey>,
    ) -> Result<Idempotent<Batch>, Error> {
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_LEN) {
            let why = format!("is longer than {MAX_NAME_LEN} bytes");
            return Err(Error::Invalid(vec![Problem::new("/name", why)]));
        }
        let jobs = self.check_all(submissions, "/jobs")?;
        let submitted = self.store(jobs, key, Some(NewBatch { name })).await?;
        let value = submitted.batch.ok_or(Error::Unreadable)?;
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    async fn store(
        &self,
        jobs: Arc<[NewJob]>,
        key: Option<IdempotencyKey>,
        batch: Option<NewBatch>,
    ) -> Result<Submitted, Error> {
        let weight = |job: &NewJob| JOB_WEIGHT + job.payload.as_str().len();
        let bytes = jobs.iter().map(weight).sum();
        match self.write(Write::Submit(Submit { jobs, key, batch }), bytes).await? {
            Answer::Submitted(submitted) => Ok(submitted),
            _ => Err(Error::Unknown),
        }
    }

    fn check_all(
        &self,
        submissions: Vec<Submission>,
        prefix: &str,
    ) -> Result<Arc<[NewJob]>, Error> {
        let most = self.config().limits.max_jobs_per_request;
        if submissions.is_empty() || submissions.len() > most {
            let why = format!("has 1 to {most} jobs; this has {}", submissions.len());
            return Err(Error::Invalid(vec![Problem::new(prefix, why)]));
        }
        let now = self.clock().now();
        Ok(check_each(submissions, prefix, |submission| self.check(submission, now))?.into())
    }

    /// Checks a submission: its kind, its payload by the kind's own rules, everything else.
    fn check(&self, submission: Submission, now: Timestamp) -> Result<NewJob, Vec<Problem>> {
        let lane = self
            .registry()
            .lane_of(&submission.kind, submission.lane)
            .map_err(|problem| vec![problem])?;
        let most = self.config().limits.max_payload_bytes;
        if submission.payload.as_str().len() > most {
            let why = format!("is larger than {most} bytes");
            return Err(vec![Problem::new("/payload", why)]);
        }
        let of_payload = match lane {
            // Only its worker knows what it takes.
            Lane::Remote => Vec::new(),
            _ => self.check_payload(&submission),
        };
        match submission.check(lane, &self.config().jobs, now) {
            Ok(job) if of_payload.is_empty() => Ok(job),
            Ok(_) => Err(of_payload),
            Err(mut problems) => {
                // What is no JSON at all is told once.
                if !problems.iter().any(|problem| problem.pointer.starts_with("/payload")) {
                    problems.extend(of_payload);
                }
                Err(problems)
            }
        }
    }

    /// What the kind itself has to say of its payload.
    fn check_payload(&self, submission: &Submission) -> Vec<Problem> {
        let problems = self.registry().check(&submission.kind, &submission.payload);
        problems.into_iter().map(|problem| problem.under("/payload")).collect()
    }
}

/// How many problems of one request are told.
const MAX_PROBLEMS: usize = 100;

/// Checks each of many inputs. Problems are told of all of them, their pointers under `prefix` and
/// the number of the input.
pub(super) fn check_each<T, C>(
    inputs: Vec<T>,
    prefix: &str,
    check: impl Fn(T) -> Result<C, Vec<Problem>>,
) -> Result<Vec<C>, Error> {
    let mut checked = Vec::with_capacity(inputs.len());
    let mut problems = Vec::new();
    for (index, input) in inputs.into_iter().enumerate() {
        match check(input) {
            Ok(input) => checked.push(input),
            Err(found) => {
                let place = format!("{prefix}/{index}");
                problems.extend(found.into_iter().map(|problem| problem.under(&place)));
            }
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if problems.is_empty() { Ok(checked) } else { Err(Error::Invalid(problems)) }
}
