//! Writes of clients with an API key.

use std::time::Duration;

use longshore::auth::api_key::NewKey;
use longshore::auth::key_id::KeyId;
use longshore::auth::secret::KeyDigest;
use longshore::job::{Lane, NewJob};
use longshore::store::{Holder, Write};
use proptest::sample::Index;

use super::table::Model;

/// Returns whether a write comes from a worker of this process, which may use all queues.
pub(super) fn is_of_local_worker(write: &Write) -> bool {
    match write {
        Write::Each(writes) => writes.iter().any(is_of_local_worker),
        Write::Finish(finish) => finish.holder == Holder::Local,
        Write::Renew(renew) => renew.holder == Holder::Local,
        Write::Log(lines) => lines.holder == Holder::Local,
        Write::Report(..) => true,
        _ => false,
    }
}

/// Makes a write that of an API key.
pub(super) fn set_key(write: &mut Write, key: KeyId) {
    let holder = match write {
        Write::Submit(submit) | Write::AddJobs { submit, .. } => {
            submit.jobs = submit.jobs.iter().map(|job| with_key(job, key)).collect();
            if let Some(idempotency_key) = &mut submit.key {
                idempotency_key.owner = Some(key);
            }
            return;
        }
        Write::Lease(request) => {
            request.key = Some(key).filter(|_| request.order.lane == Lane::Remote);
            return;
        }
        Write::Each(writes) => return writes.iter_mut().for_each(|write| set_key(write, key)),
        Write::Finish(finish) => &mut finish.holder,
        Write::Renew(renew) => &mut renew.holder,
        Write::Log(lines) => &mut lines.holder,
        _ => return,
    };
    if *holder == Holder::Remote(None) {
        *holder = Holder::Remote(Some(key));
    }
}

/// Returns a job, with its follow-up jobs, as an API key submits it.
fn with_key(job: &NewJob, key: KeyId) -> NewJob {
    let mut job = NewJob { key: Some(key), ..job.clone() };
    if let Some(then) = job.on_end.as_mut().and_then(|on_end| on_end.then.as_mut()) {
        then.job = with_key(&then.job, key);
    }
    job
}

pub(super) fn create_key(model: &Model, name: u8) -> Write {
    let digest = KeyDigest::of(&model.next_api_key().to_string());
    Write::CreateKey(NewKey::admin(format!("key {name}").parse().unwrap()), digest)
}

pub(super) fn touch_key(model: &Model, key: &Index, secs: u64) -> Write {
    let at = model.now.minus(Duration::from_secs(secs));
    Write::TouchKeys(vec![(api_key(model, key), at)])
}

/// Returns the id of an API key, possibly one above the largest.
pub(super) fn api_key(model: &Model, key: &Index) -> KeyId {
    KeyId(1 + key.index(model.next_api_key() as usize) as i64)
}
