//! Query parameters, and ids in paths.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::api::jobs::JobListQuery;
use crate::api::problem::ProblemType;
use crate::auth::hidden::without_secret;
use crate::http::problem::Rejection;
use crate::http::request::auth::query_token;
use crate::job::problem::{Problem, Problems, escape};
use crate::job::queue::InvalidName;
use crate::job::state::InvalidState;
use crate::store::JobFilter;

/// Maximum number of jobs or batches on one page of a list.
const MAX_LIMIT: u32 = 200;
/// Number of jobs or batches on a page if the request has no `limit`.
const DEFAULT_LIMIT: u32 = 50;

/// The query parameters of a request. Unknown and repeated parameters are problems.
#[derive(Debug)]
pub(in crate::http) struct Parameters {
    values: BTreeMap<String, String>,
    problems: Problems,
}

impl Parameters {
    /// Parses the query string of a route that supports the parameters in `known`.
    pub(in crate::http) fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Rejection> {
        let mut read = Self { values: BTreeMap::new(), problems: Problems::default() };
        if request.query_string().is_empty() {
            return Ok(read);
        }
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| Rejection::new(ProblemType::BadQuery, error))?;
        let has_token = request.extensions().contains::<query_token::InQuery>();
        for (name, value) in pairs.into_inner() {
            if has_token && name == query_token::PARAMETER {
                continue;
            }
            if !known.contains(&name.as_str()) {
                read.add_problem(&name, Unknown(known));
            } else if read.values.insert(name.clone(), value).is_some() {
                read.add_problem(&name, "is given more than once");
            }
        }
        read.checked()
    }

    /// Removes and returns the value of a parameter.
    pub(in crate::http) fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// Removes and parses the value of a parameter. If it cannot be parsed, `wanted` becomes a problem.
    pub(in crate::http) fn parse<T: FromStr>(
        &mut self,
        name: &str,
        wanted: impl Display,
    ) -> Option<T> {
        let parsed = self.take(name)?.parse().ok();
        if parsed.is_none() {
            self.add_problem(name, wanted);
        }
        parsed
    }

    /// Returns whether the request has a parameter that was not taken yet.
    pub(in crate::http) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Returns the page size, which is at most `max`.
    pub(in crate::http) fn limit(&mut self, max: u32, default: u32) -> u32 {
        let number = format!("must be a number between 1 and {max}");
        let limit = self.parse("limit", &number).unwrap_or(default);
        if !(1..=max).contains(&limit) {
            self.add_problem("limit", &number);
        }
        limit
    }

    /// Returns the position at which the page starts.
    fn cursor<T: FromStr>(&mut self) -> Option<T> {
        self.parse("cursor", "must be the next_cursor of another page")
    }

    pub(in crate::http) fn add_problem(&mut self, name: &str, why: impl Display) {
        self.problems.add(|| Problem::new(format!("/{}", escape(name)), why));
    }

    /// Returns the parameters.
    ///
    /// # Errors
    /// Returns 400 with every problem that was found.
    pub(in crate::http) fn checked(self) -> Result<Self, Rejection> {
        if self.problems.is_empty() {
            return Ok(self);
        }
        Err(Rejection::invalid(StatusCode::BAD_REQUEST, self.problems.into_vec("")))
    }
}

/// Describes a parameter that is not one of these.
struct Unknown<'a>(&'a [&'a str]);

impl Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("unknown parameter; this route has no parameters"),
            known => write!(f, "unknown parameter; this route supports {}", known.join(", ")),
        }
    }
}

/// Extractor for routes without query parameters: refuses a request that has any.
pub(in crate::http) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(Parameters::read(request, &[]).map(|_none| Self))
    }
}

/// Returns the id in the path. A text that is not a number is answered with 404.
pub(in crate::http) fn id<T: FromStr>(request: &HttpRequest) -> Result<T, Rejection> {
    id_named(request, "id")
}

/// Returns the id with this name in the path. A text that is not a number is answered with 404.
pub(in crate::http) fn id_named<T: FromStr>(
    request: &HttpRequest,
    name: &str,
) -> Result<T, Rejection> {
    let text = request.match_info().get(name).unwrap_or_default();
    text.parse().map_err(|_not_a_number| {
        let detail = format!("{} is not an id: ids are numbers", without_secret(text));
        Rejection::new(ProblemType::NotFound, detail)
    })
}

/// Returns the page size and position of a list without filters.
pub(in crate::http) fn page<T: FromStr>(
    request: &HttpRequest,
) -> Result<(u32, Option<T>), Rejection> {
    let mut query = Parameters::read(request, &["limit", "cursor"])?;
    let page = (query.limit(MAX_LIMIT, DEFAULT_LIMIT), query.cursor());
    query.checked()?;
    Ok(page)
}

/// Returns the filter of a list of jobs.
pub(in crate::http) fn filter(request: &HttpRequest) -> Result<JobFilter, Rejection> {
    let mut query = Parameters::read(request, &JobListQuery::PARAMETERS)?;
    let limit = query.limit(MAX_LIMIT, DEFAULT_LIMIT);
    let mut filter = JobFilter {
        state: query.parse("state", InvalidState),
        queue: query.parse("queue", InvalidName),
        kind: query.take("kind"),
        tag: query.take("tag"),
        batch: query.parse("batch", "must be the id of a batch, a number"),
        before: query.cursor(),
        limit,
        with_payload: false,
        with_result: false,
        with_metadata: false,
    };
    let include = query.take("include");
    for part in include.iter().flat_map(|list| list.split(',')) {
        match part {
            "payload" => filter.with_payload = true,
            "result" => filter.with_result = true,
            _ => query.add_problem("include", "must be payload, result, or payload,result"),
        }
    }
    query.checked()?;
    Ok(filter)
}
