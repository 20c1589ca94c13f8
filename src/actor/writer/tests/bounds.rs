//! Commit groups that are bounded by bytes.

use super::*;
use crate::store::{RescueScope, Submit};

/// A submission of one job with a payload of this size, in the lane `remote`.
fn submit_bytes(bytes: usize) -> Write {
    let Write::Submit(Submit { jobs, .. }) = submit(Lane::Remote) else { unreachable!() };
    let mut job = jobs[0].clone();
    job.payload = Json::of(&"x".repeat(bytes)).unwrap();
    Write::Submit(Submit { jobs: [job].into(), key: None, batch: None })
}

#[actix_web::test]
async fn a_finish_that_arrived_before_a_rescue_is_written_before_it() {
    let mut fixture = start().await;
    let jobs = fixture.wait_for_jobs(1, false).await;
    let _submitted = fixture.send(submit(Lane::Remote));
    let job = soon(jobs).await.unwrap().unwrap().remove(0);
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    // The group is full before the finish, which is too heavy to overtake others.
    let _large = fixture.send(submit_bytes(MAX_GROUP_BYTES));
    let outcome = Outcome::Completed(JobResult::whole(Json::of(&"x".repeat(6_000)).unwrap()));
    let (lease, holder) = (job.lease, Holder::Remote);
    let finish = Finish { lease, outcome, holder, location: None, started_at: None };
    let finished = fixture.send(Write::Finish(finish));
    let rescue = Write::Rescue { scope: RescueScope::expired_now(), limit: 1 };
    let rescued = fixture.send(rescue);
    assert!(matches!(soon(finished).await.unwrap(), Ok(Answer::Finished(_))));
    let Ok(Answer::Moved(moved)) = soon(rescued).await.unwrap() else { panic!("no answer") };
    assert_eq!(moved.count, 0);
    assert_eq!(fixture.next_group().await, ["submit"]);
    assert_eq!(fixture.next_group().await, ["finish", "rescue"]);
}
