//! What the forms for jobs lead to.

use std::collections::BTreeSet;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, Resource};

use crate::job::JobId;
use crate::pages::answer::{Answered, action, go_to};
use crate::pages::jobs::address;
use crate::pages::trouble::Trouble;
use crate::pages::{form, job};
use crate::server::{Handle, JobAction};

/// The word for a thing that can be done to jobs.
fn deed(word: &str) -> Option<JobAction> {
    match word {
        "cancel" => Some(JobAction::Cancel),
        "retry" => Some(JobAction::Retry),
        "delete" => Some(JobAction::Delete),
        _ => None,
    }
}

pub(super) fn cancel() -> Resource {
    action("/jobs/{id}/cancel", cancel_job)
}

pub(super) fn retry() -> Resource {
    action("/jobs/{id}/retry", retry_job)
}

pub(super) fn delete() -> Resource {
    action("/jobs/{id}/delete", delete_job)
}

pub(super) fn selected() -> Resource {
    action("/jobs/selected", act_on_selected)
}

async fn cancel_job(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    act_on_one(&request, body, &handle, JobAction::Cancel).await
}

async fn retry_job(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    act_on_one(&request, body, &handle, JobAction::Retry).await
}

async fn delete_job(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    act_on_one(&request, body, &handle, JobAction::Delete).await
}

async fn act_on_one(
    request: &HttpRequest,
    body: Payload,
    handle: &Handle,
    deed: JobAction,
) -> Answered {
    form::read(request, body, handle).await?;
    let id = job::id(request)?;
    match deed {
        JobAction::Cancel => handle.cancel(id).await.map(drop)?,
        JobAction::Retry => handle.retry(id).await.map(drop)?,
        JobAction::Delete => {
            handle.delete(id).await?;
            return go_to("/jobs?did=delete&done=1&refused=0");
        }
    }
    go_to(format!("/jobs/{id}"))
}

async fn act_on_selected(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    let fields = form::read(&request, body, &handle).await?;
    let word = fields.word("deed").unwrap_or_default();
    let deed = deed(word).ok_or_else(|| Trouble::bad("deed is cancel, retry or delete"))?;
    let ids: Result<BTreeSet<JobId>, _> = fields.all("id").iter().map(|id| id.parse()).collect();
    let ids = ids.map_err(|_not_a_number| Trouble::bad("an id is a number"))?;
    let (mut done, mut refused) = (0, 0);
    if !ids.is_empty() {
        for answer in handle.apply_to_all(deed, ids.into_iter().collect()).await? {
            *(if answer.is_ok() { &mut done } else { &mut refused }) += 1;
        }
    }
    let told = [
        ("did", Some(word.to_owned())),
        ("done", Some(done.to_string())),
        ("refused", Some(refused.to_string())),
    ];
    go_to(address(fields.get("back").unwrap_or_default(), &told))
}
