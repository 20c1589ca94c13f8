//! Idempotency keys that a version stored whose fingerprints were of the bytes of a request.

use longshore::job::JobId;
use longshore::store::{Refusal, SubmissionKey, Submit, Write};

use super::Store;
use crate::kit::sqlite::run;
use crate::kit::{job, submitted};

/// Returns a submission with the fingerprints of its value and of its bytes.
fn keyed(value: u8, bytes: u8) -> Write {
    let key = SubmissionKey {
        key: "k".parse().unwrap(),
        owner: None,
        fingerprint: [value; 32],
        byte_fingerprint: [bytes; 32],
    };
    Write::Submit(Submit { jobs: vec![job()].into(), key: Some(key), batch: None })
}

#[test]
fn a_key_of_an_older_version_is_compared_by_bytes() {
    let (mut store, database) = Store::on_sqlite();
    store.write(keyed(1, 2)).unwrap();
    let older = "UPDATE submissions SET by_value = 0, fingerprint = x'2222222222222222222222222222222222222222222222222222222222222222'";
    run(&mut database.raw(), older).unwrap();
    let same_bytes = submitted(store.write(keyed(1, 0x22)));
    assert_eq!((same_bytes.is_repeat, same_bytes.first), (true, JobId(1)));
    let same_value = store.write(keyed(0x22, 2)).unwrap_err();
    assert_eq!(same_value, Refusal::KeyReused(JobId(1)));
}

#[test]
fn a_key_of_this_version_is_compared_by_value() {
    let mut store = Store::fresh();
    store.write(keyed(1, 2)).unwrap();
    assert!(submitted(store.write(keyed(1, 3))).is_repeat);
    assert_eq!(store.write(keyed(3, 2)).unwrap_err(), Refusal::KeyReused(JobId(1)));
    assert_eq!(store.write(keyed(2, 1)).unwrap_err(), Refusal::KeyReused(JobId(1)));
}
