//! Whether the database can be written, as the Writer finds it out.

use super::*;
use crate::store::{SubmissionKey, Submit};

/// A submission with an idempotency key.
fn submit_with_key() -> Write {
    let Write::Submit(submit) = submit(Lane::Async) else { unreachable!() };
    let key = Some(SubmissionKey::new("key".parse().unwrap(), [0; 32]));
    Write::Submit(Submit { key, ..submit })
}

#[actix_web::test]
async fn a_repeated_submission_does_not_show_that_writing_works() {
    let mut fixture = start().await;
    assert!(soon(fixture.send(submit_with_key())).await.unwrap().is_ok());
    fixture.next_group().await;
    // The lease of the job, which may be in a group of its own, is over when the job arrives.
    fixture.next_leased().await;
    fixture.fail_next(Fault::Fail(StoreError::Full("no room".into())));
    assert!(matches!(
        soon(fixture.send(submit(Lane::Async))).await.unwrap(),
        Err(WriteError::Full)
    ));
    let repeated = soon(fixture.send(submit_with_key())).await.unwrap();
    assert!(matches!(repeated, Ok(Answer::Submitted(_))), "{repeated:?}");
    let is_writable = fixture.handle.write_health().failure().is_none();
    // On a slow machine the first probe may have been written by now.
    let mut has_probed = false;
    while let Ok(group) = fixture.groups.try_recv() {
        has_probed |= group.iter().any(|write| matches!(write, Write::Probe));
    }
    assert!(!is_writable || has_probed);
}
