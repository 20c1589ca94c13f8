//! Deliveries of webhooks, as an application that embeds the server lists and repeats them.

use longshore::job::submission::on_end::Owner;
use longshore::job::{BatchId, JobId, State, Submission};
use longshore::server::{Error, Refusal};
use serde_json::json;

use crate::kit::TEST_TIMEOUT;
use crate::kit::embedded::{builder, single_attempt};
use crate::kit::http::Target;

#[actix_web::test]
async fn an_application_lists_and_repeats_the_deliveries_of_its_jobs() {
    let target = Target::start(|reply, _| reply.answer("410 Gone", "", ""));
    let directory = tempfile::tempdir().unwrap();
    let server = builder(&directory).start().unwrap();
    let handle = server.handle();
    let callback = json!({"url": target.url("/hook")});
    let job = Submission {
        callback: serde_json::from_value(callback).unwrap(),
        ..single_attempt("echo", &json!(1))
    };
    let id = handle.submit(job).await.unwrap().id;
    handle.wait(id, TEST_TIMEOUT).await.unwrap();
    let delivery = handle.deliveries_of_job(id).await.unwrap().remove(0);
    handle.wait(delivery.id, TEST_TIMEOUT).await.unwrap();
    let failed = handle.deliveries_of_job(id).await.unwrap().remove(0);
    assert_eq!((failed.state, failed.status), (State::Failed, Some(410)));
    let again = handle.retry_delivery(Owner::Job(id), delivery.id).await.unwrap();
    assert_eq!((again.id, again.max_attempts), (delivery.id, 11));
    let refused = handle.retry_delivery(Owner::Batch(BatchId(1)), delivery.id).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::NoDelivery(..)))), "{refused:?}");
    let missing = handle.deliveries_of_job(JobId(99)).await;
    assert!(matches!(missing, Err(Error::Refused(Refusal::NoJob(_)))), "{missing:?}");
    let missing = handle.deliveries_of_batch(BatchId(9)).await;
    assert!(matches!(missing, Err(Error::Refused(Refusal::NoBatch(_)))), "{missing:?}");
    server.shutdown().await;
}
