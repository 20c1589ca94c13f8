//! The web pages: made here as HTML, kept fresh by one small script, and whole without it.
//!
//! A page reads what it shows from the [`Handle`](crate::server::Handle), and its forms act through
//! the same door. Nothing comes from elsewhere: the content security policy would refuse it.

mod act;
mod answer;
mod assets;
mod batch;
mod batches;
mod chart;
pub(crate) mod demo;
mod dress;
mod fields;
mod fold;
mod form;
mod hour;
mod job;
mod jobs;
mod limits;
mod moment;
mod number;
mod once;
mod overview;
mod queue;
mod row;
mod stack;
mod submit;
mod trouble;

use actix_web::guard::{Guard, GuardContext};
use actix_web::http::header::ACCEPT;
use actix_web::web::{self, ServiceConfig};

/// Every page, and what its forms lead to. To be tried behind the routes of the API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(assets::style())
        .service(assets::script())
        .service(assets::icon())
        .service(overview::all())
        .service(jobs::all())
        .service(act::selected())
        .service(act::cancel())
        .service(act::retry())
        .service(act::delete())
        .service(job::one())
        .service(submit::all())
        .service(batches::all())
        .service(batch::one())
        .service(batch::cancel())
        .service(queue::one())
        .service(queue::pause())
        .service(queue::resume())
        .service(queue::limit())
        .service(demo::all())
        .service(demo::act())
        .service(web::resource("/{path:.*}").guard(OfAReader).to(trouble::nowhere));
}

/// Whether who asks would rather look than read JSON, and not of the API.
struct OfAReader;

impl Guard for OfAReader {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let head = context.head();
        let accept = head.headers().get(ACCEPT).map(|value| value.as_bytes()).unwrap_or_default();
        let path = head.uri.path();
        let is_of_the_api = path == "/v1" || path.starts_with("/v1/");
        !is_of_the_api && accept.windows(9).any(|part| part == b"text/html")
    }
}
