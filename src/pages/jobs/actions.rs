//! Form targets that cancel, retry, delete and start jobs.

use std::collections::BTreeSet;

use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, Resource};

use crate::job::{JobId, JobPatch};
use crate::pages::forms::form;
use crate::pages::jobs::list_query::list_path;
use crate::pages::response::error_page::PageError;
use crate::pages::response::resource::{form_resource, path_id};
use crate::pages::response::{PageResult, redirect_to};
use crate::server::{Handle, JobAction};

/// Returns the action with this name in the form of the job list.
fn parse_action(name: &str) -> Option<JobAction> {
    match name {
        "cancel" => Some(JobAction::Cancel),
        "retry" => Some(JobAction::Retry),
        "delete" => Some(JobAction::Delete),
        _ => None,
    }
}

pub(crate) fn cancel() -> Resource {
    form_resource("/jobs/{id}/cancel", cancel_job)
}

pub(crate) fn retry() -> Resource {
    form_resource("/jobs/{id}/retry", retry_job)
}

pub(crate) fn run_now() -> Resource {
    form_resource("/jobs/{id}/run", run_job_now)
}

pub(crate) fn delete() -> Resource {
    form_resource("/jobs/{id}/delete", delete_job)
}

pub(crate) fn selected() -> Resource {
    form_resource("/jobs/selected", act_on_selected)
}

async fn cancel_job(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    act_on_one(&request, body, &handle, JobAction::Cancel).await
}

async fn retry_job(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    act_on_one(&request, body, &handle, JobAction::Retry).await
}

/// Lets a job that waits for its time start at once.
async fn run_job_now(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read(&request, body, &handle).await?;
    let id: JobId = path_id(&request, "job")?;
    handle.update(id, JobPatch::run_now()).await?;
    redirect_to(format!("/jobs/{id}"))
}

async fn delete_job(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    act_on_one(&request, body, &handle, JobAction::Delete).await
}

async fn act_on_one(
    request: &HttpRequest,
    body: Payload,
    handle: &Handle,
    action: JobAction,
) -> PageResult {
    form::read(request, body, handle).await?;
    let id: JobId = path_id(request, "job")?;
    match action {
        JobAction::Cancel => handle.cancel(id).await.map(drop)?,
        JobAction::Retry => handle.retry(id).await.map(drop)?,
        JobAction::Delete => {
            handle.delete(id).await?;
            return redirect_to("/jobs?did=delete&done=1&refused=0");
        }
    }
    redirect_to(format!("/jobs/{id}"))
}

async fn act_on_selected(
    request: HttpRequest,
    body: Payload,
    handle: ReqData<Handle>,
) -> PageResult {
    let fields = form::read(&request, body, &handle).await?;
    let name = fields.trimmed("job_action").unwrap_or_default();
    let invalid = || PageError::bad_request("job_action must be cancel, retry or delete");
    let action = parse_action(name).ok_or_else(invalid)?;
    let (ids, invalid): (Vec<_>, Vec<_>) =
        fields.all("id").iter().map(|id| id.parse::<JobId>()).partition(Result::is_ok);
    let ids: BTreeSet<JobId> = ids.into_iter().flatten().collect();
    let (mut done, mut refused) = (0, invalid.len());
    if !ids.is_empty() {
        for answer in handle.apply_to_all(action, ids.into_iter().collect()).await? {
            *(if answer.is_ok() { &mut done } else { &mut refused }) += 1;
        }
    }
    let summary = [
        ("did", Some(name.to_owned())),
        ("done", Some(done.to_string())),
        ("refused", Some(refused.to_string())),
    ];
    redirect_to(list_path(fields.get("back").unwrap_or_default(), &summary))
}
