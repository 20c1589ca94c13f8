//! What happens at the end of a job or batch, as parts of its page: the webhook with its deliveries, and the
//! follow-up job. A form sends a webhook again.

use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, Resource};

use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::callback::{Callback, CallbackEvent, callback_queue};
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::submission::on_end::then::Then;
use crate::job::{JobError, JobId, Timestamp};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::form;
use crate::pages::parts::job_row::StateBadge;
use crate::pages::parts::time::RelativeTime;
use crate::pages::response::resource::{form_resource, path_id, path_id_named};
use crate::pages::response::{PageResult, redirect_to};
use crate::server::Handle;

pub(crate) fn retry_of_job() -> Resource {
    form_resource("/jobs/{id}/deliveries/{delivery}/retry", retry_delivery_of_job)
}

pub(crate) fn retry_of_batch() -> Resource {
    form_resource("/batches/{id}/deliveries/{delivery}/retry", retry_delivery_of_batch)
}

/// The webhook of a job or batch with its deliveries.
pub(crate) struct Webhooks {
    /// Path of the page of the job or batch.
    pub(crate) path: String,
    /// Path of the deliveries in the API.
    pub(crate) api_path: String,
    /// Names of the events that are sent; `None` for all.
    pub(crate) events: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) rows: Vec<DeliveryRow>,
    /// Whether the user may open the jobs that deliver webhooks.
    pub(crate) may_open: bool,
    /// Whether the user may send a webhook again.
    pub(crate) may_retry: bool,
}

/// A delivery as a row of a table.
pub(crate) struct DeliveryRow {
    pub(crate) id: JobId,
    pub(crate) event: &'static str,
    /// Host of the receiver. The path and the query of the URL may be secret.
    pub(crate) receiver: String,
    pub(crate) state: StateBadge,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    pub(crate) status: Option<u16>,
    pub(crate) next_attempt: Option<RelativeTime>,
    pub(crate) error: Option<JobError>,
    pub(crate) can_retry: bool,
}

impl DeliveryRow {
    fn new(delivery: DeliveryStatus, now: Timestamp) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event.map_or("unknown", CallbackEvent::as_str),
            receiver: delivery.receiver().unwrap_or("unknown").to_owned(),
            state: StateBadge(delivery.state),
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            status: delivery.status,
            next_attempt: delivery.next_attempt_at.map(|at| RelativeTime::new(at, now)),
            can_retry: delivery.can_retry(),
            error: delivery.error,
        }
    }
}

impl Webhooks {
    /// Returns the webhook of a job or batch; `None` if it has none. The latest delivery is the first row.
    pub(crate) fn new(
        owner: Owner,
        callback: Option<&Callback>,
        deliveries: Vec<DeliveryStatus>,
        may: &Permissions,
        now: Timestamp,
    ) -> Option<Self> {
        let callback = callback?;
        let names = |events: &Vec<CallbackEvent>| {
            events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ")
        };
        let path = path_of(owner);
        let rows = deliveries.into_iter().rev();
        Some(Self {
            api_path: format!("/v1{path}/deliveries"),
            path,
            events: callback.events.as_ref().map(names),
            secret: callback.secret.as_ref().map(ToString::to_string),
            rows: rows.map(|delivery| DeliveryRow::new(delivery, now)).collect(),
            may_open: may.see_queue(&callback_queue()),
            may_retry: may.retry_deliveries(),
        })
    }
}

/// The follow-up job of a job or batch.
pub(crate) struct FollowUpLink {
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) job: Option<JobId>,
    /// Whether the user may open the follow-up job.
    pub(crate) may_open: bool,
}

impl FollowUpLink {
    pub(crate) fn new(then: &Then, may: &Permissions) -> Self {
        let Then { kind, queue, job } = then;
        Self {
            kind: kind.clone(),
            queue: queue.to_string(),
            job: *job,
            may_open: may.see_queue(queue),
        }
    }
}

/// Returns the path of the page of a job or batch.
pub(crate) fn path_of(owner: Owner) -> String {
    match owner {
        Owner::Job(id) => format!("/jobs/{id}"),
        Owner::Batch(id) => format!("/batches/{id}"),
    }
}

async fn retry_delivery_of_job(
    request: HttpRequest,
    body: Payload,
    handle: ReqData<Handle>,
) -> PageResult {
    form::read(&request, body, &handle).await?;
    retry(&request, Owner::Job(path_id(&request, "job")?), &handle).await
}

async fn retry_delivery_of_batch(
    request: HttpRequest,
    body: Payload,
    handle: ReqData<Handle>,
) -> PageResult {
    form::read(&request, body, &handle).await?;
    retry(&request, Owner::Batch(path_id(&request, "batch")?), &handle).await
}

async fn retry(request: &HttpRequest, owner: Owner, handle: &Handle) -> PageResult {
    let delivery = path_id_named(request, "delivery", "delivery")?;
    handle.retry_delivery(owner, delivery).await?;
    redirect_to(path_of(owner))
}
