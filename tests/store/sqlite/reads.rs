//! Reads that fail.

use longshore::store::StoreError;

use super::Store;

#[test]
fn a_read_that_fails_leaves_nothing_unknown() {
    let mut store = Store::fresh();
    store.corrupt("DROP INDEX jobs_failed_at");
    let error = store.reads.recent_failures(10).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(_)), "{error:?}");
}
