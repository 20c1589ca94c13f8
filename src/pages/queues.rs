//! `/queues`: the list of queues, sorted by name.

use actix_web::web::ReqData;
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::job::QueueName;
use crate::job::queue::{InvalidName, Queue};
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem};
use crate::pages::parts::query::query_string;
use crate::pages::parts::queue_row::QueueRow;
use crate::pages::response::error_page::PageError;
use crate::pages::response::resource::page_resource;
use crate::pages::response::{PageResult, render};
use crate::server::Handle;

/// Number of queues on a page.
const PAGE_SIZE: usize = 100;

pub(super) fn resource() -> Resource {
    page_resource("/queues", list)
}

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    layout: Layout,
    queues: Vec<QueueRow>,
    is_first: bool,
    next: Option<String>,
    /// This page, to which the buttons of the queues return.
    back: String,
}

async fn list(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    let fields = Fields::from_query(&request)?;
    let after = after(&fields)?;
    let all = handle.queues().await?;
    let (queues, next) = page_after(&all, after.as_ref());
    let query = |name: &QueueName| query_string(&[("after", Some(name.to_string()))]);
    render(&QueuesPage {
        layout: Layout::live(Permissions::of(&handle), "Queues", NavItem::Queues, FAST_POLL_MS),
        queues: queues.iter().map(QueueRow::new).collect(),
        is_first: after.is_none(),
        next: next.map(query),
        back: format!("queues{}", after.as_ref().map(query).unwrap_or_default()),
    })
}

/// Returns the name in the query string after which the page starts.
fn after(fields: &Fields) -> Result<Option<QueueName>, PageError> {
    let mut problems = Vec::new();
    let after = fields.read("after", InvalidName, &mut problems);
    problems.pop().map_or(Ok(after), |problem| Err(PageError::bad_request(problem)))
}

/// Returns the queues of the page after a name, and the name after which the next page starts.
fn page_after<'a>(
    queues: &'a [Queue],
    after: Option<&QueueName>,
) -> (&'a [Queue], Option<&'a QueueName>) {
    let start = queues.partition_point(|queue| after.is_some_and(|after| queue.name <= *after));
    let rest = queues.get(start..).unwrap_or_default();
    match rest.split_at_checked(PAGE_SIZE) {
        Some((page, more)) if !more.is_empty() => (page, page.last().map(|queue| &queue.name)),
        _ => (rest, None),
    }
}

/// Returns the path of the page that `back` names in a form: `overview`, or `queues` with its query
/// string.
///
/// `back` comes from a form. It is parsed and written again, so that it cannot lead elsewhere.
pub(super) fn path_of(back: &str) -> Option<String> {
    match back.split_once('?').unwrap_or((back, "")) {
        ("overview", _) => Some("/".into()),
        ("queues", query) => {
            let after = after(&Fields::parse(query).ok()?).ok()?;
            let after = after.map(|name| name.to_string());
            Some(format!("/queues{}", query_string(&[("after", after)])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_returns_only_to_known_pages() {
        for (back, path) in [
            ("overview", Some("/")),
            ("queues", Some("/queues")),
            ("queues?after=mail", Some("/queues?after=mail")),
            ("queues?after=mail&to=//evil.example", Some("/queues?after=mail")),
            ("queues?after=%0d%0aSet-Cookie", None),
            ("//evil.example", None),
            ("", None),
        ] {
            assert_eq!(path_of(back).as_deref(), path, "{back}");
        }
    }
}
