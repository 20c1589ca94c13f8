//! `/batches`: the list of batches, newest first.

pub(super) mod batch;

use actix_web::web::ReqData;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::batch::Batch;
use crate::job::{BatchId, Timestamp};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem};
use crate::pages::parts::number::Count;
use crate::pages::parts::query::query_string;
use crate::pages::parts::state_bar::StateBar;
use crate::pages::parts::time::{DurationText, RelativeTime};
use crate::pages::response::error_page::PageError;
use crate::pages::response::resource::page_resource;
use crate::pages::response::{PageResult, render};
use crate::server::Handle;

/// Number of batches on a page.
const PAGE_SIZE: u32 = 50;

pub(super) fn resource() -> Resource {
    page_resource("/batches", list)
}

/// A batch as a row of the list.
struct BatchRow {
    id: BatchId,
    name: Option<String>,
    state_bar: StateBar,
    total: Count,
    done: Count,
    failed: Count,
    created: RelativeTime,
    duration: Option<DurationText>,
}

impl BatchRow {
    fn new(batch: Batch, now: Timestamp) -> Self {
        Self {
            id: batch.id,
            state_bar: StateBar::new(batch.counts, batch.total),
            total: Count::new(batch.total),
            done: Count::new(batch.done()),
            failed: Count::new(batch.counts.failed),
            created: RelativeTime::new(batch.created_at, now),
            duration: batch.finished_at.map(|at| DurationText::new(at.since(batch.created_at))),
            name: batch.name,
        }
    }
}

#[derive(Template)]
#[template(path = "batches.html")]
struct BatchesPage {
    layout: Layout,
    batches: Vec<BatchRow>,
    is_first: bool,
    older: Option<String>,
}

async fn list(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let fields = Fields::from_query(&request)?;
    let mut problems = Vec::new();
    let before = fields.read("cursor", "is not a cursor of this list", &mut problems);
    if let Some(problem) = problems.first() {
        return Err(PageError::bad_request(problem));
    }
    let found = handle.batches(PAGE_SIZE, before).await?;
    let now = handle.now();
    render(&BatchesPage {
        layout: Layout::live(Permissions::of(&handle), "Batches", NavItem::Batches, FAST_POLL_MS),
        batches: found.batches.into_iter().map(|batch| BatchRow::new(batch, now)).collect(),
        is_first: before.is_none(),
        older: found.next.map(|next| query_string(&[("cursor", Some(next.to_string()))])),
    })
}
