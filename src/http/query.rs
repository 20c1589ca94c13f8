//! Query strings and ids in paths.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::problem::Rejection;
use crate::store::JobFilter;

/// The most jobs on one page of a list, and how many there are unless asked otherwise.
const MAX_LIMIT: u32 = 200;
const DEFAULT_LIMIT: u32 = 50;

/// Reads a query string; unknown parameters are refused.
pub(super) fn parse<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Rejection> {
    match Query::<T>::from_query(request.query_string()) {
        Ok(query) => Ok(query.into_inner()),
        Err(error) => Err(Rejection::new(StatusCode::BAD_REQUEST, "bad-query", error)),
    }
}

/// An id in a path. One that is no number leads to nothing.
pub(super) fn id<T: std::str::FromStr>(request: &HttpRequest) -> Result<T, Rejection> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().map_err(|_not_a_number| {
        let detail = format!("there is nothing with the id {text}: ids are numbers");
        Rejection::new(StatusCode::NOT_FOUND, "not-found", detail)
    })
}

/// `?wait=` alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    pub(super) wait: Option<String>,
}

/// The query of a list of jobs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    queue: Option<String>,
    kind: Option<String>,
    tag: Option<String>,
    batch: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    include: Option<String>,
}

impl ListQuery {
    /// The filter that is asked for.
    pub(super) fn filter(self) -> Result<JobFilter, Rejection> {
        let limit = read("limit", self.limit.as_deref())?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Rejection::bad_parameter(
                "limit",
                format!("lies between 1 and {MAX_LIMIT}"),
            ));
        }
        let mut filter = JobFilter {
            state: read("state", self.state.as_deref())?,
            queue: read("queue", self.queue.as_deref())?,
            kind: self.kind,
            tag: self.tag,
            batch: read("batch", self.batch.as_deref())?,
            before: read("cursor", self.cursor.as_deref())?,
            limit,
            with_payload: false,
            with_result: false,
        };
        for part in self.include.iter().flat_map(|list| list.split(',')) {
            match part {
                "payload" => filter.with_payload = true,
                "result" => filter.with_result = true,
                _ => return Err(Rejection::bad_parameter("include", "takes payload and result")),
            }
        }
        Ok(filter)
    }
}

fn read<T>(name: &str, text: Option<&str>) -> Result<Option<T>, Rejection>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error| Rejection::bad_parameter(name, error))
}
