//! Opening a database: what was committed exists, and every connection sees it.

use longshore::job::{JobId, State};

use super::Store;
use crate::kit::{completed, job};

#[test]
fn all_jobs_exist_after_the_database_is_opened_again() {
    let mut store = Store::fresh();
    let ids = State::ALL.map(|state| store.job_in(state));
    let before = ids.map(|id| store.job(id));
    store.reopen();
    assert_eq!(ids.map(|id| store.job(id)), before);
    let next = store.lease_next().lease;
    store.finish(next, completed("1")).unwrap();
}

#[test]
fn committed_jobs_are_visible_to_connections_that_were_opened_before() {
    let mut store = Store::fresh();
    assert!(!store.exists(JobId(1)));
    let id = store.submit(job());
    assert!(store.exists(id));
}
