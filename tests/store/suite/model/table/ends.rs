//! What happens in the model when jobs and batches end: deliveries of webhooks and follow-up jobs.

use std::collections::BTreeSet;

use longshore::config::receiver_group;
use longshore::job::batch::Batch;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::callback::{CALLBACK_QUEUE, Callback, CallbackEvent};
use longshore::job::submission::on_end::follow_up::FollowUp;
use longshore::job::submission::on_end::then::Then;
use longshore::job::{
    BatchId, Job, JobError, JobId, Json, Lane, NewJob, QueueName, State, Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Model, ModelBatch};
use crate::kit::backend::Delivery;
use crate::kit::queue;

/// Body of a webhook.
#[derive(Serialize)]
struct Body<'a, T> {
    #[serde(rename = "type")]
    event: CallbackEvent,
    timestamp: Timestamp,
    data: &'a T,
}

/// Returns the queues of the jobs that an end causes, now or later.
pub(super) fn queues_of_end(on_end: &OnEnd) -> Vec<QueueName> {
    let mut queues = Vec::new();
    if on_end.callback.is_some() {
        queues.push(queue(CALLBACK_QUEUE));
    }
    if let Some(then) = &on_end.then {
        queues.push(then.job.queue.clone());
        queues.extend(then.job.on_end.as_deref().into_iter().flat_map(queues_of_end));
    }
    queues
}

/// Returns a job as its webhook shows it.
fn reported(job: &Job, with_result: bool) -> Job {
    Job {
        backoff: None,
        attempts_granted: None,
        truncate_result: false,
        payload: None,
        result: job.result.clone().filter(|_| with_result),
        result_truncated: false,
        failures: None,
        attempts: None,
        callback: None,
        then: None,
        ..job.clone()
    }
}

/// Returns the list of a drafted payload with its references replaced; `None` if one refers to nothing.
fn fill(payload: &Json, document: Option<&Value>) -> Option<Json> {
    let items: Vec<Value> = serde_json::from_str(payload.as_str()).unwrap();
    let value = |item: Value| match item.get("$from") {
        Some(_) => document?.pointer(item["pointer"].as_str().unwrap_or_default()).cloned(),
        None => Some(item),
    };
    let filled: Option<Vec<Value>> = items.into_iter().map(value).collect();
    Some(Json::of(&filled?).unwrap())
}

impl ModelBatch {
    /// Returns the batch with its end actions.
    pub(super) fn with_ends(&self) -> Batch {
        let on_end = self.on_end.as_deref();
        let then = on_end.and_then(|on_end| on_end.then.as_deref());
        Batch {
            callback: on_end.and_then(|on_end| on_end.callback.clone()),
            then: then.map(|then| Then { job: self.then_id, ..then.shown() }),
            ..self.shown.clone()
        }
    }
}

impl Model {
    /// Runs the end actions of the jobs that ended with the change number `start` or a later one, and then
    /// those of the follow-up jobs that ended at once.
    pub(super) fn run_ends_of_jobs(&mut self, mut start: usize) {
        while start < self.changes.len() {
            let is_final = |state: Option<State>| state.is_some_and(State::is_final);
            let ends = self.changes[start..].iter();
            let ends = ends.filter(|change| is_final(change.to) && !is_final(change.from));
            let ended: BTreeSet<JobId> = ends.map(|change| change.job).collect();
            start = self.changes.len();
            for job in ended {
                self.run_end_of_job(job);
            }
        }
    }

    /// Runs the end actions of a job that ended in this group and is about to be queued again or removed.
    pub(in super::super) fn run_end_before_change(&mut self, id: JobId) {
        let is_final = |state: Option<State>| state.is_some_and(State::is_final);
        let last = self.changes.iter().rfind(|change| change.job == id);
        if last.is_some_and(|change| is_final(change.to) && !is_final(change.from)) {
            self.run_end_of_job(id);
        }
    }

    fn run_end_of_job(&mut self, id: JobId) {
        // The group may have removed the job, or queued it again.
        let Some(row) = self.jobs.get(&id) else { return };
        let event = match row.job.state {
            State::Completed => CallbackEvent::JobCompleted,
            State::Failed => CallbackEvent::JobFailed,
            State::Cancelled => CallbackEvent::JobCancelled,
            _ => return,
        };
        let (job, Some(on_end)) = (row.job.clone(), row.on_end.clone()) else { return };
        if let Some(callback) = &on_end.callback {
            let data = reported(&job, callback.include_result);
            if let Some(delivery) = self.insert_delivery(callback, event, &data) {
                self.deliveries.push(Delivery { id: delivery, job: Some(id), batch: None });
            }
        }
        let is_inserted = job.then.as_ref().is_some_and(|then| then.job.is_some());
        if let Some(then) = on_end.then.filter(|_| job.state == State::Completed && !is_inserted) {
            let result = job.result_json().map_or("null", Json::as_str);
            let result = serde_json::from_str(result).unwrap();
            let inserted = self.insert_follow_up(&then, Some(&result));
            self.jobs.get_mut(&id).unwrap().job.then.as_mut().unwrap().job = Some(inserted);
        }
    }

    pub(super) fn run_end_of_batch(&mut self, id: BatchId) {
        let ModelBatch { shown, on_end, then_id, .. } = &self.batches[&id];
        let (shown, is_inserted) = (shown.clone(), then_id.is_some());
        let Some(on_end) = on_end.clone() else { return };
        if let Some(callback) = &on_end.callback {
            let event = CallbackEvent::BatchFinished;
            if let Some(delivery) = self.insert_delivery(callback, event, &shown) {
                self.deliveries.push(Delivery { id: delivery, job: None, batch: Some(id) });
            }
        }
        let has_completed = shown.counts.completed == shown.total;
        if let Some(then) = on_end.then.filter(|_| has_completed && !is_inserted) {
            let jobs = self.jobs.values().filter(|row| row.job.batch == Some(id));
            let result = |job: &Job| job.result_json().map_or("null", Json::as_str).to_owned();
            let results = jobs.map(|row| serde_json::from_str(&result(&row.job)).unwrap());
            let results: Vec<Value> = results.collect();
            // Without the results of removed jobs, the others would have other places in the list.
            let is_whole = results.len() as i64 == shown.total;
            let document = json!({"total": shown.total, "results": results});
            let inserted = self.insert_follow_up(&then, Some(&document).filter(|_| is_whole));
            self.batches.get_mut(&id).unwrap().then_id = Some(inserted);
        }
    }

    /// Inserts the job that delivers a webhook, and returns its id. Returns `None` if the callback does not
    /// send the event.
    fn insert_delivery<T: Serialize>(
        &mut self,
        callback: &Callback,
        event: CallbackEvent,
        data: &T,
    ) -> Option<JobId> {
        if callback.events.as_ref().is_some_and(|events| !events.contains(&event)) {
            return None;
        }
        let body = Json::of(&Body { event, timestamp: self.now, data }).unwrap();
        let new = callback.delivery(body, receiver_group(&callback.url), self.now).unwrap();
        self.inserted_at_ends += 1;
        Some(self.insert_job(&new, None))
    }

    /// Inserts a follow-up job, and returns its id.
    fn insert_follow_up(&mut self, then: &FollowUp, document: Option<&Value>) -> JobId {
        let new = &then.job;
        let filled = fill(&new.payload, document);
        let payload = filled.clone().unwrap_or_else(|| new.payload.clone());
        let run_at = then.times.delay.map(|delay| self.now.plus(delay.duration()));
        let run_at = run_at.unwrap_or(new.run_at).max(self.now);
        let is_scheduled = run_at > self.now;
        let new = NewJob { run_at, is_scheduled, payload, ..new.clone() };
        self.inserted_at_ends += 1;
        let id = self.insert_job(&new, None);
        if new.lane == Lane::Remote {
            self.changes.last_mut().unwrap().remote_kind = Some(new.kind.as_str().into());
        }
        if filled.is_none() {
            self.jobs.get_mut(&id).unwrap().job.error = Some(JobError::new("bad_reference", ""));
            self.set_state(id, State::Cancelled);
        }
        id
    }

    /// Forgets the deliveries whose job, or whose cause, was removed.
    pub(super) fn forget_deliveries(&mut self) {
        let (jobs, batches) = (&self.jobs, &self.batches);
        self.deliveries.retain(|delivery| {
            jobs.contains_key(&delivery.id)
                && delivery.job.is_none_or(|job| jobs.contains_key(&job))
                && delivery.batch.is_none_or(|batch| batches.contains_key(&batch))
        });
    }

    /// Returns the follow-up job of each batch that has end actions.
    pub(in super::super) fn follow_ups_of_batches(&self) -> Vec<(BatchId, Option<JobId>)> {
        let with_ends = self.batches.iter().filter(|(_, batch)| batch.on_end.is_some());
        with_ends.map(|(id, batch)| (*id, batch.then_id)).collect()
    }
}
