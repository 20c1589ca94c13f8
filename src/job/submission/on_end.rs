//! What happens when a job or batch ends: a webhook is sent, and another job is submitted.
//!
//! Both are stored with the job or batch. The transaction that ends it inserts a delivery, which is a
//! job of the kind `callback`, and the follow-up job (transactional outbox). So neither is lost by a
//! crash, and neither is inserted twice.

pub mod callback;
pub mod delivery;
pub mod delivery_status;
pub mod follow_up;
mod owner;
pub mod reference;
pub mod then;

use serde::{Deserialize, Serialize};

pub use owner::Owner;

use crate::job::queue::QueueName;
use crate::job::submission::on_end::callback::{Callback, callback_queue};
use crate::job::submission::on_end::follow_up::FollowUp;

/// What happens when a job or batch ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OnEnd {
    /// Webhook to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Job to submit if the job, or every job of the batch, completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<FollowUp>>,
}

impl OnEnd {
    /// Returns these actions, or `None` if there are none.
    pub fn new(callback: Option<Callback>, then: Option<FollowUp>) -> Option<Box<Self>> {
        let callback = callback.filter(|callback| !callback.is_disabled());
        let is_empty = callback.is_none() && then.is_none();
        (!is_empty).then(|| Box::new(Self { callback, then: then.map(Box::new) }))
    }

    /// Returns the follow-up job, the one after it, and so on.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &FollowUp> {
        std::iter::successors(self.then.as_deref(), |follow_up| {
            follow_up.job.on_end.as_deref()?.then.as_deref()
        })
    }

    /// Returns the queues of the jobs that the end causes, now or later.
    pub(crate) fn queues(&self) -> Vec<QueueName> {
        let mut queues = Vec::new();
        queues.extend(self.callback.as_ref().map(|_| callback_queue()));
        if let Some(then) = &self.then {
            queues.push(then.job.queue.clone());
            queues.extend(then.job.on_end.as_deref().map(Self::queues).unwrap_or_default());
        }
        queues
    }

    /// Returns the size of the stored texts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let callback = self.callback.as_ref().map_or(0, |callback| callback.url.len());
        callback + self.then.as_ref().map_or(0, |then| then.bytes())
    }
}
