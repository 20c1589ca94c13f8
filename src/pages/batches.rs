//! `/batches`: the list, newest first.

use actix_web::web::Data;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::batch::Batch;
use crate::job::{BatchId, Timestamp};
use crate::pages::answer::{Answered, page, show};
use crate::pages::dress::{Dress, LIVELY_MS, Place, query};
use crate::pages::fields::Fields;
use crate::pages::moment::{Moment, Took};
use crate::pages::number::Count;
use crate::pages::stack::Stack;
use crate::pages::trouble::Trouble;
use crate::server::Handle;

/// How many batches a page shows.
const PAGE: u32 = 50;

pub(super) fn all() -> Resource {
    page("/batches", list)
}

/// A batch as a row.
struct BatchRow {
    id: BatchId,
    name: Option<String>,
    stack: Stack,
    total: Count,
    done: Count,
    failed: Count,
    created: Moment,
    took: Option<Took>,
}

impl BatchRow {
    fn new(batch: Batch, now: Timestamp) -> Self {
        Self {
            id: batch.id,
            stack: Stack::new(batch.counts, batch.total),
            total: Count::new(batch.total),
            done: Count::new(batch.total - batch.counts.live()),
            failed: Count::new(batch.counts.failed),
            created: Moment::new(batch.created_at, now),
            took: batch.finished_at.map(|at| Took::new(at.since(batch.created_at))),
            name: batch.name,
        }
    }
}

#[derive(Template)]
#[template(path = "batches.html")]
struct BatchesPage {
    dress: Dress,
    batches: Vec<BatchRow>,
    is_first: bool,
    older: Option<String>,
}

async fn list(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let fields = Fields::of_query(&request)?;
    let mut problems = Vec::new();
    let before = fields.read("cursor", "is that of another page", &mut problems);
    if let Some(problem) = problems.first() {
        return Err(Trouble::bad(problem));
    }
    let found = handle.batches(PAGE, before).await?;
    let now = handle.now();
    show(&BatchesPage {
        dress: Dress::live("Batches", Place::Batches, LIVELY_MS),
        batches: found.batches.into_iter().map(|batch| BatchRow::new(batch, now)).collect(),
        is_first: before.is_none(),
        older: found.next.map(|next| query(&[("cursor", Some(next.to_string()))])),
    })
}
