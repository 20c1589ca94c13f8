//! Submission of jobs: all checks first, then one write.

pub(crate) mod fingerprint;
mod on_end;

use std::sync::Arc;

use crate::job::batch::{BatchOptions, MAX_NAME_LEN, SubmittedBatch};
use crate::job::problem::{MAX_PROBLEMS, Problem};
use crate::job::submission::on_end::OnEnd;
use crate::job::{BatchId, Job, Lane, NewJob, Submission, Timestamp};
use crate::server::error::Error;
use crate::server::handle::size::ByteShare;
use crate::server::handle::{Handle, Idempotent, LARGE_BYTES};
use crate::server::submit::on_end::Chain;
use crate::store::{Answer, NewBatch, Refusal, SubmissionKey, Submit, Submitted, Write};

/// What jobs are submitted to.
enum Target {
    /// Their queues only.
    Queues,
    /// A batch that is created with them.
    NewBatch(NewBatch),
    /// An open batch.
    OpenBatch(BatchId),
}

/// Approximate size of a job without its payload, in bytes.
const JOB_BASE_BYTES: usize = 256;

impl Handle {
    /// Submits one job. The job is on disk when this returns.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] with every problem found in the submission, or another [`Error`] if
    /// the job could not be stored.
    pub async fn submit(&self, submission: Submission) -> Result<Job, Error> {
        Ok(self.submit_keyed(submission, None).await?.value)
    }

    /// Submits one job, or returns the job that was submitted with the same idempotency key before.
    ///
    /// # Errors
    /// The same as [`Handle::submit`], and [`Error::Refused`] if the key was used with another body.
    pub async fn submit_keyed(
        &self,
        submission: Submission,
        key: Option<SubmissionKey>,
    ) -> Result<Idempotent<Job>, Error> {
        let now = self.clock().now();
        let checked = match size(&submission) {
            bytes if bytes > LARGE_BYTES => {
                let handle = self.clone();
                let check = move || handle.check(submission, now);
                self.compute(ByteShare::Submissions, bytes, check).await?
            }
            _ => self.check(submission, now),
        };
        let jobs: Arc<[NewJob]> = Arc::new([checked.map_err(Error::Invalid)?]);
        let submitted = self.store(Arc::clone(&jobs), key, Target::Queues).await?;
        let value = match submitted.is_repeat {
            true => self.read_job(submitted.first).await?,
            false => jobs[0].inserted(submitted.first, submitted.at),
        };
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    /// Submits many jobs in one transaction, all or none, and returns them in the same order.
    ///
    /// # Errors
    /// The same as [`Handle::submit_keyed`]. The pointer of a problem starts with the index of its job,
    /// from 0.
    pub async fn submit_many(
        &self,
        submissions: Vec<Submission>,
        key: Option<SubmissionKey>,
    ) -> Result<Idempotent<Vec<Job>>, Error> {
        let jobs = self.check_all(submissions, 1, "").await?;
        let submitted = self.store(Arc::clone(&jobs), key, Target::Queues).await?;
        let mut value = Vec::with_capacity(submitted.count);
        for (id, job) in submitted.ids().zip(jobs.iter()) {
            match submitted.is_repeat {
                true => match self.read_job(id).await {
                    Ok(job) => value.push(job),
                    // A job that has been deleted since is omitted.
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
    /// The same as [`Handle::submit_many`], but the pointer of a problem starts with `/jobs` and the index.
    pub async fn submit_batch(
        &self,
        options: impl Into<BatchOptions>,
        submissions: Vec<Submission>,
        key: Option<SubmissionKey>,
    ) -> Result<Idempotent<SubmittedBatch>, Error> {
        let BatchOptions { name, callback, then, open } = options.into();
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_LEN) {
            let detail = format!("must be at most {MAX_NAME_LEN} bytes");
            return Err(Error::Invalid(vec![Problem::new("/name", detail)]));
        }
        let now = self.clock().now();
        let bytes = then.as_deref().map_or(0, size);
        let handle = self.clone();
        let check = move || handle.check_end_of_batch(callback, then, now);
        let checked = self.compute(ByteShare::Submissions, bytes, check).await?;
        let on_end = checked.map_err(Error::Invalid)?;
        let jobs = self.check_all(submissions, 0, "/jobs").await?;
        if let Some(callback) = on_end.as_deref().and_then(|on_end| on_end.callback.as_ref()) {
            let queues = jobs.iter().map(|job| &job.queue);
            if let Some(found) = self.registry().check_callback_of_batch(callback, queues, open) {
                return Err(Error::Invalid(vec![found.under("/callback")]));
            }
        }
        let open_for = open.then(|| self.config().batch_open_for);
        let batch = NewBatch { name, on_end, open_for };
        let submitted = self.store(jobs, key, Target::NewBatch(batch)).await?;
        let job_ids = submitted.ids().collect();
        let mut batch = *submitted.batch.ok_or(Error::Unreadable)?;
        if submitted.is_repeat {
            // With what happens at its end. Also, a job of it may be in another queue now.
            batch = self.batch(batch.id).await?;
        }
        let value = SubmittedBatch { batch, job_ids };
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    /// Adds jobs to an open batch, in one transaction, and returns the batch with the ids of these jobs. The batch
    /// stays open for [`batch_open_for`](crate::config::Config::batch_open_for) from now on. A batch may have any
    /// number of jobs, while one call adds at most
    /// [`max_jobs_per_request`](crate::config::Limits::max_jobs_per_request).
    ///
    /// # Errors
    /// The same as [`Handle::submit_batch`], and [`Error::Refused`] if the batch does not exist or is closed. With
    /// a key, a repetition of a call that has succeeded succeeds also after the batch was closed.
    pub async fn add_jobs(
        &self,
        batch: BatchId,
        submissions: Vec<Submission>,
        key: Option<SubmissionKey>,
    ) -> Result<Idempotent<SubmittedBatch>, Error> {
        let jobs = self.check_all(submissions, 1, "/jobs").await?;
        // Before the write, so that a call that is refused changes nothing.
        let _permit = self.point_read_permit()?;
        let submitted = self.store(jobs, key, Target::OpenBatch(batch)).await?;
        let job_ids = submitted.ids().collect();
        let value = SubmittedBatch { batch: self.read_batch(batch).await?, job_ids };
        Ok(Idempotent { value, is_repeat: submitted.is_repeat })
    }

    /// Stores checked jobs in one write.
    async fn store(
        &self,
        jobs: Arc<[NewJob]>,
        key: Option<SubmissionKey>,
        target: Target,
    ) -> Result<Submitted, Error> {
        let of_batch = match &target {
            Target::NewBatch(batch) => batch.on_end.as_deref(),
            _ => None,
        };
        for job in &*jobs {
            self.check_queue(&job.queue)?;
        }
        for on_end in jobs.iter().filter_map(|job| job.on_end.as_deref()).chain(of_batch) {
            for follow_up in on_end.chain() {
                self.check_queue(&follow_up.job.queue)?;
            }
        }
        let key = key.map(|key| SubmissionKey { owner: self.principal().key, ..key });
        let size = |job: &NewJob| {
            let on_end = job.on_end.as_ref().map_or(0, |on_end| on_end.bytes());
            JOB_BASE_BYTES + job.payload.as_str().len() + on_end
        };
        let bytes = jobs.iter().map(size).sum::<usize>() + of_batch.map_or(0, OnEnd::bytes);
        let write = match target {
            Target::Queues => Write::Submit(Submit { jobs, key, batch: None }),
            Target::NewBatch(batch) => {
                self.within_access(Write::Submit(Submit { jobs, key, batch: Some(batch) }))
            }
            Target::OpenBatch(batch) => {
                let submit = Submit { jobs, key, batch: None };
                let open_for = self.config().batch_open_for;
                self.within_access(Write::AddJobs { batch, submit, open_for })
            }
        };
        match self.write(write, bytes).await? {
            Answer::Submitted(submitted) => Ok(submitted),
            _ => Err(Error::Unknown),
        }
    }

    /// Checks the number of submissions, then each of them.
    async fn check_all(
        &self,
        submissions: Vec<Submission>,
        min: usize,
        prefix: &'static str,
    ) -> Result<Arc<[NewJob]>, Error> {
        self.check_number_of_jobs(submissions.len(), min, prefix)?;
        let now = self.clock().now();
        let bytes = submissions.iter().map(size).sum();
        let handle = self.clone();
        let check = move || {
            let checked =
                check_each(submissions, prefix, |submission| handle.check(submission, now));
            checked.map(Arc::from)
        };
        self.compute(ByteShare::Submissions, bytes, check).await?
    }

    /// Checks the number of jobs in a request, which is at least `min`.
    pub(crate) fn check_number_of_jobs(
        &self,
        number: usize,
        min: usize,
        pointer: &str,
    ) -> Result<(), Error> {
        let max = self.config().limits.max_jobs_per_request;
        if (min..=max).contains(&number) {
            return Ok(());
        }
        let detail = format!("must have {min} to {max} jobs, but has {number}");
        Err(Error::Invalid(vec![Problem::new(pointer, detail)]))
    }

    /// Checks a submission: its kind, its payload by the rules of the kind, what happens at its end, and all
    /// other fields.
    fn check(&self, submission: Submission, now: Timestamp) -> Result<NewJob, Vec<Problem>> {
        self.check_in_chain(submission, now, Chain::default())
    }

    fn check_in_chain(
        &self,
        mut submission: Submission,
        now: Timestamp,
        chain: Chain,
    ) -> Result<NewJob, Vec<Problem>> {
        let lane = self.lane_of(&submission).map_err(|problem| vec![problem])?;
        let max = self.config().limits.max_payload_bytes;
        if submission.payload.as_str().len() > max {
            let detail = format!("must be at most {max} bytes");
            return Err(vec![Problem::new("/payload", detail)]);
        }
        let payload = match lane {
            // Only the remote worker knows which payloads are valid.
            Lane::Remote => Ok(None),
            _ => self.check_payload(&submission, chain),
        };
        let defaults = self.registry().defaults_of(&submission.kind);
        let (callback, then) = (submission.callback.take(), submission.then.take());
        let (job, mut problems) = match submission.check(lane, defaults, now) {
            Ok(job) => (Some(job), Vec::new()),
            Err(problems) => (None, problems),
        };
        let provider = payload.unwrap_or_else(|found| {
            // A payload that is not JSON at all is reported once.
            if !problems.iter().any(|problem| problem.pointer.starts_with("/payload")) {
                problems.extend(found);
            }
            None
        });
        let default = job.as_ref().and_then(|job| self.default_callback(job));
        if let (Some(job), Some(callback)) = (&job, &callback) {
            let found = self.registry().check_callback_of_job(callback, &job.queue);
            problems.extend(found.map(|problem| problem.under("/callback")));
        }
        let on_end =
            self.check_end_of_job((callback, default), then, now, chain).unwrap_or_else(|found| {
                problems.extend(found);
                None
            });
        match job {
            Some(job) if problems.is_empty() => {
                Ok(NewJob { provider, key: self.principal().key, on_end, ..job })
            }
            _ => Err(problems),
        }
    }
}

/// Returns the approximate size of a submission with its follow-up jobs, in bytes.
fn size(submission: &Submission) -> usize {
    let chain = std::iter::successors(Some(submission), |submission| submission.then.as_deref());
    chain.map(|submission| JOB_BASE_BYTES + submission.payload.as_str().len()).sum()
}

/// Checks each of many inputs and collects the problems of all of them, up to about [`MAX_PROBLEMS`].
/// Each pointer is prefixed with `prefix` and the index of the input.
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
                let pointer = format!("{prefix}/{index}");
                problems.extend(found.into_iter().map(|problem| problem.under(&pointer)));
            }
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if problems.is_empty() { Ok(checked) } else { Err(Error::Invalid(problems)) }
}
