//! `/v1/batches/{id}/results`: the results of a batch, as pages or as one stream of lines.
//!
//! The stream is read page by page, as fast as the client takes it. At most one small page is in memory at a
//! time; it counts towards `max_answer_bytes_in_flight`, and is read again later if there is no room for it.
//! A stream that cannot be completed breaks off without its last chunk, so that no client takes a part of the
//! results for all of them.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderValue};
use actix_web::web::{Bytes, ReqData};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::stream;

use crate::api::batches::BatchResults;
use crate::http::problem::Rejection;
use crate::http::request::prefer::{self, Wait};
use crate::http::request::query::{self, Parameters};
use crate::http::response::weighed::{PART_BYTES, WholeStream};
use crate::http::response::{HandlerResult, ok};
use crate::job::{BatchId, JobId};
use crate::server::{AnswerWeight, Error as CallError, Handle, MAX_RESULTS};
use crate::store::{ResultPage, ResultQuery};

/// Number of results on a page if the request has no `limit`.
const DEFAULT_LIMIT: u32 = 200;

/// Number of bytes at which a page of the stream ends. The last result may exceed it.
const STREAM_PAGE_BYTES: usize = 256 << 10;

/// Pause before a page is read again for which there was no room.
const ROOM_PAUSE: Duration = Duration::from_millis(250);

/// Number of pauses after which the stream breaks off: a minute.
const MAX_PAUSES: u32 = 240;

/// Value of `format` with which a link, which has no `Accept` header of its own, gets lines.
const FORMAT: &str = "ndjson";

/// Media type of lines of JSON.
const LINES: &str = "application/x-ndjson";

/// Media type of a page.
const JSON: &str = "application/json";

pub(in crate::http) async fn results(
    request: HttpRequest,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let batch: BatchId = query::id(&request)?;
    let mut parameters = Parameters::read(&request, &["after", "limit", "wait", "format"])?;
    let after = parameters.parse("after", "must be the id of a job, a number");
    let has_limit = parameters.has("limit");
    let limit = parameters.limit(MAX_RESULTS, DEFAULT_LIMIT);
    let wait = prefer::given(parameters.take("wait"), &request)?;
    let format = parameters.take("format");
    if format.as_deref().is_some_and(|format| format != FORMAT) {
        parameters.add_problem("format", "must be ndjson");
    }
    parameters.checked()?;
    let (after, handle) = (after.unwrap_or(JobId(0)), handle.into_inner());
    if format.is_some() || wants_lines(&request) {
        if has_limit {
            let why = "is only for pages; a stream of lines has all results";
            return Err(Rejection::bad_parameter("limit", why));
        }
        let mut response = lines(handle, batch, after, wait).await?;
        if format.is_some() {
            let name = format!("attachment; filename=\"batch-{batch}.ndjson\"");
            if let Ok(value) = HeaderValue::from_str(&name) {
                response.headers_mut().insert(CONTENT_DISPOSITION, value);
            }
        }
        return Ok(response);
    }
    let page = match wait.span() {
        Some(span) => handle.wait_batch_results(batch, after, limit, span).await?,
        None => handle.batch_results(batch, after, limit).await?,
    };
    Ok(ok(&BatchResults { results: page.results, next_after: page.next }))
}

/// Returns whether the client accepts lines of JSON and names them.
fn wants_lines(request: &HttpRequest) -> bool {
    let values = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    prefers_lines(&values.flat_map(|value| value.split(',')).collect::<Vec<_>>())
}

/// Returns whether an `Accept` header with these ranges names lines of JSON, and does not prefer one JSON
/// object to them by its weight (RFC 9110, section 12.4.2).
fn prefers_lines(ranges: &[&str]) -> bool {
    let weight_of = |media_type: &str| {
        let named = ranges.iter().filter(|range| {
            let name = range.split(';').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case(media_type)
        });
        named.map(|range| weight(range)).fold(0.0, f32::max)
    };
    let lines = weight_of(LINES);
    lines > 0.0 && lines >= weight_of(JSON)
}

/// Returns the weight `q` of a range: 1 without one, and 0 if it is not a number.
fn weight(range: &str) -> f32 {
    let mut parameters = range.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let weight = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    weight.map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0))
}

/// Returns the results of the whole batch. With a wait, the first one is sent after the end of the batch.
async fn lines(handle: Handle, batch: BatchId, after: JobId, wait: Wait) -> HandlerResult {
    if let Some(span) = wait.span() {
        handle.wait_batch(batch, span).await?;
    }
    let (limit, max_bytes) = (MAX_RESULTS, STREAM_PAGE_BYTES);
    let query = ResultQuery { batch, after, limit, max_bytes };
    let mut lines = Lines { handle, query, rest: Bytes::new(), weight: None, has_more: true };
    // The first page is read now, so that an error has a status of its own.
    lines.read().await?;
    let body = stream::unfold(Some(lines), |lines| async {
        let mut lines = lines?;
        match lines.next().await {
            Ok(part) => part.map(|part| (Ok(part), Some(lines))),
            Err(error) => Some((Err(Error::from(Rejection::from(error))), None)),
        }
    });
    let mut response = HttpResponse::Ok()
        .content_type(HeaderValue::from_static(LINES))
        // Without this header nginx delays lines until its buffer is full.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body);
    response.extensions_mut().insert(WholeStream);
    Ok(response)
}

/// The results of a batch as lines, of which a page is in memory.
struct Lines {
    handle: Handle,
    /// The next page.
    query: ResultQuery,
    /// What is left of the page.
    rest: Bytes,
    /// Weight of the page while any of it is left.
    weight: Option<AnswerWeight>,
    has_more: bool,
}

impl Lines {
    /// Returns the next part of the lines; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let mut pauses = 0;
        while self.rest.is_empty() {
            self.weight = None;
            if !self.has_more {
                return Ok(None);
            }
            match self.read().await {
                Err(CallError::Overloaded) if pauses < MAX_PAUSES => {
                    pauses += 1;
                    tokio::time::sleep(ROOM_PAUSE).await;
                }
                read => read?,
            }
        }
        Ok(Some(self.rest.split_to(self.rest.len().min(PART_BYTES))))
    }

    /// Reads the next page. A failed read leaves this as it was.
    async fn read(&mut self) -> Result<(), CallError> {
        let page = self.handle.read_results(self.query).await?;
        let text = text_of(&page);
        self.weight = Some(self.handle.answer_budget().weigh_read(text.len())?);
        self.rest = text.into();
        self.has_more = page.next.is_some();
        self.query.after = page.next.unwrap_or(self.query.after);
        Ok(())
    }
}

/// Returns one line for each result.
fn text_of(page: &ResultPage) -> Vec<u8> {
    let mut text = Vec::new();
    for result in &page.results {
        if let Err(error) = serde_json::to_writer(&mut text, result) {
            tracing::error!(%error, job = %result.id, "a result could not be serialized");
        }
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sent_if_they_are_accepted_and_a_page_is_not_preferred() {
        let prefers = |accept: &str| prefers_lines(&accept.split(',').collect::<Vec<_>>());
        for accept in [
            "application/x-ndjson",
            "text/html, Application/X-NDJSON ; q=0.1",
            "application/json, application/x-ndjson",
            "application/json;q=0.5, application/x-ndjson;q=0.9, */*",
        ] {
            assert!(prefers(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/x-ndjson;q=0",
            "application/x-ndjson; Q=0.000",
            "application/x-ndjson;q=high",
            "application/json, application/x-ndjson;q=0.9",
        ] {
            assert!(!prefers(accept), "{accept}");
        }
    }
}
