//! Query strings and ids in paths.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};

use crate::http::problem::Rejection;
use crate::job::problem::{Problem, escape};
use crate::job::queue::NotAName;
use crate::job::state::NotAState;
use crate::store::JobFilter;

/// The most jobs or batches on one page of a list, and how many there are unless asked otherwise.
const MAX_LIMIT: u32 = 200;
const DEFAULT_LIMIT: u32 = 50;

/// What a list of jobs takes.
const OF_A_LIST: [&str; 8] =
    ["state", "queue", "kind", "tag", "batch", "limit", "cursor", "include"];

/// The parameters of a query string: each is known to the route, and there once.
#[derive(Debug)]
pub(super) struct Parameters {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Parameters {
    /// Reads the query string of a route that takes the parameters in `known`.
    pub(super) fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Rejection> {
        let mut read = Self { values: BTreeMap::new(), problems: Vec::new() };
        if request.query_string().is_empty() {
            return Ok(read);
        }
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| Rejection::new(StatusCode::BAD_REQUEST, "bad-query", error))?;
        for (name, value) in pairs.into_inner() {
            if !known.contains(&name.as_str()) {
                read.complain(&name, unknown(known));
            } else if read.values.insert(name.clone(), value).is_some() {
                read.complain(&name, "stands twice");
            }
        }
        read.whole()
    }

    /// The value of a parameter as it stands.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// The value of a parameter, read; where it cannot be, what it should be is a problem.
    pub(super) fn parse<T: FromStr>(&mut self, name: &str, wanted: impl Display) -> Option<T> {
        let parsed = self.take(name)?.parse().ok();
        if parsed.is_none() {
            self.complain(name, wanted);
        }
        parsed
    }

    /// How many are wanted on a page.
    fn limit(&mut self) -> u32 {
        let number = format!("is a number from 1 to {MAX_LIMIT}");
        let limit = self.parse("limit", &number).unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            self.complain("limit", &number);
        }
        limit
    }

    /// Where the page begins.
    fn cursor<T: FromStr>(&mut self) -> Option<T> {
        self.parse("cursor", "is the next_cursor of another page")
    }

    fn complain(&mut self, name: &str, why: impl Display) {
        self.problems.push(Problem::new(format!("/{}", escape(name)), why));
    }

    /// These, unless there is a problem with one.
    pub(super) fn whole(self) -> Result<Self, Rejection> {
        if self.problems.is_empty() {
            return Ok(self);
        }
        Err(Rejection::invalid(StatusCode::BAD_REQUEST, self.problems))
    }
}

fn unknown(known: &[&str]) -> String {
    match known {
        [] => "is not known here; there are no parameters".into(),
        known => format!("is not known here; there is {}", known.join(", ")),
    }
}

/// That a request has no query, for routes that take none: what is not understood is refused.
pub(super) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(Parameters::read(request, &[]).map(|_none| Self))
    }
}

/// An id in a path. One that is no number leads to nothing.
pub(super) fn id<T: FromStr>(request: &HttpRequest) -> Result<T, Rejection> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().map_err(|_not_a_number| {
        let detail = format!("there is nothing with the id {text}: ids are numbers");
        Rejection::new(StatusCode::NOT_FOUND, "not-found", detail)
    })
}

/// How many a list without filters shows, and from where on.
pub(super) fn page<T: FromStr>(request: &HttpRequest) -> Result<(u32, Option<T>), Rejection> {
    let mut query = Parameters::read(request, &["limit", "cursor"])?;
    let page = (query.limit(), query.cursor());
    query.whole()?;
    Ok(page)
}

/// The filter that the query of a list of jobs asks for.
pub(super) fn filter(request: &HttpRequest) -> Result<JobFilter, Rejection> {
    let mut query = Parameters::read(request, &OF_A_LIST)?;
    let limit = query.limit();
    let mut filter = JobFilter {
        state: query.parse("state", NotAState),
        queue: query.parse("queue", NotAName),
        kind: query.take("kind"),
        tag: query.take("tag"),
        batch: query.parse("batch", "is the id of a batch, a number"),
        before: query.cursor(),
        limit,
        with_payload: false,
        with_result: false,
    };
    let include = query.take("include");
    for part in include.iter().flat_map(|list| list.split(',')) {
        match part {
            "payload" => filter.with_payload = true,
            "result" => filter.with_result = true,
            _ => query.complain("include", "is payload, result, or both with a comma between"),
        }
    }
    query.whole()?;
    Ok(filter)
}
