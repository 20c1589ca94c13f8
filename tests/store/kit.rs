//! Parts that all tests share: backends, a store, and shorthands for jobs, writes and answers.

pub(crate) mod backend;
pub(crate) mod sqlite;
pub(crate) mod statements;
pub(crate) mod store;

use longshore::config::{Config, ProviderConfig};
use longshore::job::lease::{Lease, LeasedJob};
use longshore::job::outcome::{Deferral, JobResult, Outcome};
use longshore::job::retry::Backoff;
use longshore::job::{
    JobError, JobId, Json, Lane, NewJob, ProviderName, QueueName, Span, Tag, Timestamp,
};
use longshore::roster::{LeaseOrder, ProviderShare};
use longshore::store::{
    Answer, Finish, Holder, LeaseRequest, Leased, Refusal, Renew, Submit, Submitted, Write,
};

/// Time at which tests start, in milliseconds since 1970.
pub(crate) const START: i64 = 1_000_000;

/// Duration of leases, unless a test chooses another.
pub(crate) const LEASE: Span = Span::from_secs(60);

/// Returns a plain job. Its backoff has no jitter.
pub(crate) fn job() -> NewJob {
    NewJob {
        provider: None,
        key: None,
        kind: "echo".parse().unwrap(),
        lane: Lane::Async,
        queue: QueueName::default(),
        priority: 0,
        run_at: Timestamp::from_millis(START),
        is_scheduled: false,
        timeout: Span::from_secs(30),
        max_attempts: 3,
        backoff: Backoff { jitter: 0.0, ..Backoff::default() },
        at_most_once: false,
        expires_at: None,
        tags: Vec::new(),
        truncate_result: false,
        metadata: None,
        on_end: None,
        payload: Json::null(),
    }
}

/// Returns a job with a timeout of 0, which a constraint of the database refuses.
pub(crate) fn impossible_job() -> NewJob {
    NewJob { timeout: Span::from_millis(0), ..job() }
}

pub(crate) fn job_in_queue(name: &str) -> NewJob {
    NewJob { queue: queue(name), ..job() }
}

pub(crate) fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

pub(crate) fn provider(name: &str) -> ProviderName {
    name.parse().unwrap()
}

/// Returns a job of the kind `chat` that calls a provider.
pub(crate) fn chat(name: &str) -> NewJob {
    NewJob { kind: "chat".parse().unwrap(), provider: Some(provider(name)), ..job() }
}

/// Returns the default configuration with these providers, each with its `max_running` and its
/// `requests_per_minute`.
pub(crate) fn with_providers(providers: &[(&str, Option<u32>, Option<u32>)]) -> Config {
    let mut config = Config::default();
    for (name, max_running, requests_per_minute) in providers {
        let provider = ProviderConfig {
            max_running: *max_running,
            requests_per_minute: *requests_per_minute,
            ..ProviderConfig::new("http://127.0.0.1:1/v1")
        };
        config.providers.insert((*name).into(), provider);
    }
    config
}

pub(crate) fn submit(jobs: Vec<NewJob>) -> Write {
    Write::Submit(Submit { jobs: jobs.into(), key: None, batch: None })
}

/// Returns a lease request of a remote worker for certain kinds.
pub(crate) fn lease_kinds(kinds: &[&str]) -> Write {
    let kinds = Some(kinds.iter().map(|kind| kind.to_string()).collect());
    let order = LeaseOrder {
        queue: queue("default"),
        lane: Lane::Remote,
        kinds,
        limit: 10,
        waiting_worker: None,
        payload_room: usize::MAX,
        without_provider: true,
        providers: Vec::new(),
    };
    Write::Lease(LeaseRequest { order, duration: LEASE, worker: Some("ann".into()), key: None })
}

pub(crate) fn lease(name: &str, lane: Lane, limit: u32) -> Write {
    lease_within(name, lane, limit, usize::MAX)
}

/// Returns a lease request for local workers that ends when payloads of this size are leased.
pub(crate) fn lease_within(name: &str, lane: Lane, limit: u32, payload_room: usize) -> Write {
    let (queue, waiting_worker) = (queue(name), None);
    let (without_provider, providers) = (true, Vec::new());
    let order = LeaseOrder {
        queue,
        lane,
        kinds: None,
        limit,
        waiting_worker,
        payload_room,
        without_provider,
        providers,
    };
    Write::Lease(LeaseRequest { order, duration: LEASE, worker: None, key: None })
}

/// Returns a lease request for the jobs without a provider and for those of these providers.
pub(crate) fn lease_lines(name: &str, limit: u32, providers: &[&str]) -> Write {
    lease_shares(
        name,
        limit,
        true,
        &providers.iter().map(|name| (*name, limit)).collect::<Vec<_>>(),
    )
}

/// Returns a lease request that names how many jobs of each provider may start.
pub(crate) fn lease_shares(
    name: &str,
    limit: u32,
    without_provider: bool,
    providers: &[(&str, u32)],
) -> Write {
    let share =
        |(name, limit): &(&str, u32)| ProviderShare { provider: provider(name), limit: *limit };
    let order = LeaseOrder {
        queue: queue(name),
        lane: Lane::Async,
        kinds: None,
        limit,
        waiting_worker: None,
        payload_room: usize::MAX,
        without_provider,
        providers: providers.iter().map(share).collect(),
    };
    Write::Lease(LeaseRequest { order, duration: LEASE, worker: None, key: None })
}

/// Returns the finish of a local worker.
pub(crate) fn finish(lease: Lease, outcome: Outcome) -> Write {
    Write::Finish(Finish {
        lease,
        outcome,
        holder: Holder::Local,
        location: None,
        started_at: None,
    })
}

/// Returns the finish of a remote worker.
pub(crate) fn finish_remote(lease: Lease, outcome: Outcome) -> Write {
    Write::Finish(Finish {
        lease,
        outcome,
        holder: Holder::Remote(None),
        location: None,
        started_at: None,
    })
}

/// Returns the renewal of a local worker.
pub(crate) fn renew(leases: &[Lease], duration: Span) -> Renew {
    let leases = leases.to_vec();
    Renew {
        leases,
        duration: Some(duration),
        holder: Holder::Local,
        progress: None,
        keeps_percent: false,
    }
}

/// Returns the renewal of a remote worker, for the duration that it first asked for.
pub(crate) fn renew_remote(leases: &[Lease]) -> Renew {
    Renew {
        leases: leases.to_vec(),
        duration: None,
        holder: Holder::Remote(None),
        progress: None,
        keeps_percent: false,
    }
}

pub(crate) fn completed(json: &str) -> Outcome {
    Outcome::Completed(JobResult::whole(Json::trusted(json)))
}

pub(crate) fn failed() -> Outcome {
    Outcome::retryable("timeout", "too slow")
}

/// Returns the outcome of an attempt that does not count.
pub(crate) fn deferred(secs: u64, is_of_provider: bool) -> Outcome {
    let error = JobError::new("http_status", "429 Too Many Requests");
    let deferral = Deferral::new(error, Span::from_secs(secs));
    Outcome::Deferred(Box::new(Deferral { is_of_provider, ..deferral }))
}

/// Returns the outcome of an attempt that did nothing, because its host had no room for another call.
pub(crate) fn untried(secs: u64) -> Outcome {
    let Outcome::Deferred(deferral) = deferred(secs, false) else { unreachable!("not deferred") };
    Outcome::Deferred(Box::new(Deferral { is_untried: true, ..*deferral }))
}

pub(crate) fn submitted(answer: Result<Answer, Refusal>) -> Submitted {
    match answer {
        Ok(Answer::Submitted(submitted)) => submitted,
        other => panic!("nothing submitted: {other:?}"),
    }
}

pub(crate) fn leased(answer: Result<Answer, Refusal>) -> Vec<LeasedJob> {
    lease_answer(answer).jobs
}

pub(crate) fn lease_answer(answer: Result<Answer, Refusal>) -> Leased {
    match answer {
        Ok(Answer::Leased(leased)) => leased,
        other => panic!("nothing leased: {other:?}"),
    }
}

/// Returns the ids of leased jobs.
pub(crate) fn ids(jobs: &[LeasedJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.lease.job).collect()
}
