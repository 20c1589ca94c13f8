//! What the forms for jobs lead to.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, Resource};

use crate::job::JobId;
use crate::pages::answer::{Answered, action, go_to};
use crate::pages::jobs::address;
use crate::pages::trouble::Trouble;
use crate::pages::{form, job};
use crate::server::{Error, Handle};

/// The most jobs that are chosen at once: more than a page shows.
const MAX_CHOSEN: usize = 200;

/// What can be done to a job.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Cancel,
    Retry,
    Delete,
}

impl Deed {
    async fn apply(self, handle: &Handle, id: JobId) -> Result<(), Error> {
        match self {
            Self::Cancel => handle.cancel(id).await.map(drop),
            Self::Retry => handle.retry(id).await.map(drop),
            Self::Delete => handle.delete(id).await,
        }
    }

    fn of(word: &str) -> Option<Self> {
        match word {
            "cancel" => Some(Self::Cancel),
            "retry" => Some(Self::Retry),
            "delete" => Some(Self::Delete),
            _ => None,
        }
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
    act_on_one(&request, body, &handle, Deed::Cancel).await
}

async fn retry_job(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    act_on_one(&request, body, &handle, Deed::Retry).await
}

async fn delete_job(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    act_on_one(&request, body, &handle, Deed::Delete).await
}

async fn act_on_one(request: &HttpRequest, body: Payload, handle: &Handle, deed: Deed) -> Answered {
    form::read(request, body, handle).await?;
    let id = job::id(request)?;
    deed.apply(handle, id).await?;
    match deed {
        Deed::Delete => go_to("/jobs?did=delete&done=1&refused=0"),
        Deed::Cancel | Deed::Retry => go_to(format!("/jobs/{id}")),
    }
}

async fn act_on_selected(request: HttpRequest, body: Payload, handle: Data<Handle>) -> Answered {
    let fields = form::read(&request, body, &handle).await?;
    let word = fields.word("deed").unwrap_or_default();
    let deed = Deed::of(word).ok_or_else(|| Trouble::bad("deed is cancel, retry or delete"))?;
    let ids: Result<Vec<JobId>, _> = fields.all("id").iter().map(|id| id.parse()).collect();
    let ids = ids.map_err(|_not_a_number| Trouble::bad("an id is a number"))?;
    if ids.len() > MAX_CHOSEN {
        return Err(Trouble::bad(format!("at most {MAX_CHOSEN} jobs are taken at once")));
    }
    let (mut done, mut refused) = (0, 0);
    for id in ids {
        match deed.apply(&handle, id).await {
            Ok(()) => done += 1,
            Err(Error::Refused(_)) => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let told = [
        ("did", Some(word.to_owned())),
        ("done", Some(done.to_string())),
        ("refused", Some(refused.to_string())),
    ];
    go_to(address(fields.get("back").unwrap_or_default(), &told))
}
