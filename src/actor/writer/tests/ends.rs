//! Jobs that the end of another job causes.

use super::*;
use crate::job::submission::on_end::OnEnd;
use crate::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use crate::job::submission::on_end::reference::Source;
use crate::job::{NewJob, Submission};
use crate::store::Submit;

#[actix_web::test]
async fn a_follow_up_job_starts_although_a_lease_of_its_group_found_its_queue_empty() {
    let mut fixture = start().await;
    let submission = Submission::new("echo", &1).unwrap();
    let job: NewJob = submission.check(Lane::Async, &Default::default(), at(0)).unwrap();
    let then = FollowUp::new(job.clone(), RelativeTimes::default(), Source::Job).unwrap();
    let first = NewJob { on_end: OnEnd::new(None, Some(then)), ..job };
    let _submitted =
        fixture.send(Write::Submit(Submit { jobs: [first].into(), key: None, batch: None }));
    let leased = fixture.next_leased().await.remove(0);
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    // The roster knows of a second job, and its group cancels it.
    soon(fixture.send(submit(Lane::Async))).await.unwrap().unwrap();
    assert_eq!(fixture.next_group().await, ["submit"]);
    let _cancelled = fixture.send(Write::Cancel(JobId(2)));
    fixture.complete(&leased);
    let group = fixture.next_group().await;
    assert!(group.contains(&"cancel") && group.ends_with(&["finish", "lease"]), "{group:?}");
    assert_eq!(fixture.next_leased().await[0].lease.job, JobId(3));
}
