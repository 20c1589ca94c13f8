//! Why a job does not run yet.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::limit::Held;
use crate::job::limit::provider::{ProviderLimits, ProviderName, ProviderState};
use crate::job::queue::{QueueName, QueueSettings};
use crate::job::state::State;
use crate::job::time::Timestamp;

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// Its `run_at`, or the pause before its next attempt.
    RunAt,
    /// Its queue is paused.
    Paused,
    /// As many jobs of its queue run as `max_running` allows.
    MaxRunning,
    /// The rate limit of its queue.
    Rate,
    /// Its provider is full, asked for a pause, or has started as many calls as its limits allow.
    Provider,
    /// All workers of its lane are busy, or those that its queue may have.
    Lane,
    /// A remote worker that asks for jobs of its kind and queue.
    Worker,
    /// Its turn: jobs before it start first.
    Turn,
}

/// Why a job does not run yet, and until when, if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What the job waits for.
    pub waiting_for: WaitingFor,
    /// Time until which it waits, if that is known.
    pub until: Option<Timestamp>,
    /// Sentence for people.
    pub detail: String,
}

/// What limits the jobs of a queue, and the calls of a provider, at one time.
#[derive(Debug, Clone)]
pub struct LimitsOfJob {
    /// Settings of the job's queue.
    pub settings: QueueSettings,
    /// Number of running jobs of the queue.
    pub running: u32,
    /// Number of those in the async lane.
    pub running_async: u32,
    /// The limit that holds the queue back now.
    pub held: Option<Held>,
    /// The provider that the job calls.
    pub provider: Option<(ProviderName, ProviderState)>,
}

/// What the process knows of the job's lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneOfJob {
    /// The lane.
    pub lane: Lane,
    /// Number of workers; `None` in the remote lane.
    pub workers: Option<u32>,
    /// Number of running jobs in the lane.
    pub busy: u32,
    /// Number of workers that a queue without `max_running` may have.
    pub queue_share: u32,
}

impl Waiting {
    /// Returns it for a caller who may only use some queues: without what the jobs of other queues do.
    #[must_use]
    pub fn without_others(self) -> Self {
        let detail = match self.waiting_for {
            WaitingFor::Provider => "its provider takes no further call now",
            WaitingFor::Lane => "no worker is free for it",
            _ => return self,
        };
        Self { detail: detail.into(), ..self }
    }

    fn new(waiting_for: WaitingFor, until: Option<Timestamp>, detail: impl Into<String>) -> Self {
        Self { waiting_for, until, detail: detail.into() }
    }

    /// Returns why a scheduled or retrying job does not run; `None` for other states.
    pub fn for_time(state: State, run_at: Timestamp) -> Option<Self> {
        let detail = match state {
            State::Scheduled => "it is scheduled for a later time",
            State::Retrying => "it waits for its next attempt",
            _ => return None,
        };
        Some(Self::new(WaitingFor::RunAt, Some(run_at), detail))
    }

    /// Returns why a queued job of a paused queue does not run.
    pub fn for_queue(queue: &QueueName) -> Self {
        Self::new(WaitingFor::Paused, None, format!("queue {queue} is paused"))
    }

    /// Returns why a queued job does not run at `now`. The first limit that applies is named.
    pub fn in_queue(
        (queue, kind): (&QueueName, &str),
        limits: &LimitsOfJob,
        lane: LaneOfJob,
        provider_limits: ProviderLimits,
        now: Timestamp,
    ) -> Self {
        let LimitsOfJob { settings, running, running_async, held, provider } = limits;
        if let Some(held) = held {
            return match held {
                Held::Paused | Held::Pause(_) | Held::Trial(_) => Self::for_queue(queue),
                Held::Full => {
                    let detail = format!(
                        "queue {queue} runs as many jobs as its max_running allows: {running}"
                    );
                    Self::new(WaitingFor::MaxRunning, None, detail)
                }
                Held::Rate(at) => {
                    let detail =
                        format!("queue {queue} has started as many jobs as its rate allows");
                    Self::new(WaitingFor::Rate, Some(*at), detail)
                }
            };
        }
        if let Some((name, state)) = provider
            && let Some(waiting) = Self::for_provider(name, state, provider_limits, now)
        {
            return waiting;
        }
        match lane.workers {
            None => {
                let detail =
                    format!("a remote worker that takes jobs of kind {} from queue {queue}", kind);
                Self::new(WaitingFor::Worker, None, detail)
            }
            Some(workers) if lane.busy >= workers => {
                let detail = format!("all {workers} workers of the {} lane are busy", lane.lane);
                Self::new(WaitingFor::Lane, None, detail)
            }
            Some(_)
                if lane.lane == Lane::Async
                    && settings.max_running.is_none()
                    && *running_async >= lane.queue_share =>
            {
                let detail = format!(
                    "queue {queue} runs as many jobs as its share of the lane allows: {running_async}; set its max_running to change that"
                );
                Self::new(WaitingFor::Lane, None, detail)
            }
            Some(_) => Self::new(WaitingFor::Turn, None, "it starts as soon as it is its turn"),
        }
    }

    fn for_provider(
        name: &ProviderName,
        state: &ProviderState,
        limits: ProviderLimits,
        now: Timestamp,
    ) -> Option<Self> {
        let room = state.room(limits, now);
        let held = room.held.filter(|_| room.jobs == 0)?;
        let running = state.running;
        if limits == ProviderLimits::NOT_CONFIGURED {
            let detail = format!("provider {name} is not configured any more");
            return Some(Self::new(WaitingFor::Provider, None, detail));
        }
        let detail = match (held, state.recovery()) {
            (Held::Pause(_), Some(pause)) => {
                format!("provider {name} asked for a pause: {}", pause.error.message)
            }
            (Held::Rate(_), _) => format!(
                "provider {name} has started as many calls in this minute as its requests_per_minute allows"
            ),
            (_, Some(_)) => {
                format!(
                    "provider {name} recovers from a pause, and more calls start as these are answered: {running}"
                )
            }
            _ if limits.max_running.is_some_and(|max| max <= running) => {
                format!("provider {name} runs as many calls as its max_running allows: {running}")
            }
            _ => {
                format!("provider {name} runs as many calls as it has shown to answer: {running}")
            }
        };
        Some(Self::new(WaitingFor::Provider, held.until(), detail))
    }
}
