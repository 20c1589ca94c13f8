//! The web pages: HTML rendered on the server and refreshed by one small script.
//!
//! All pages and forms also work without the script. Pages read their data from the
//! [`Handle`](crate::server::Handle), and forms act through the same handle. Everything a page loads
//! comes from this server; the content security policy blocks all other origins.

mod access;
mod assets;
mod batches;
pub(crate) mod demo;
mod forms;
mod job;
mod jobs;
mod overview;
mod parts;
mod providers;
mod queue;
mod queues;
mod response;
mod submit;

use actix_web::guard::{Guard, GuardContext};
use actix_web::http::header::ACCEPT;
use actix_web::web::{self, ServiceConfig};

use crate::api::routes::refusal_page::RefusalPage;
use response::error_page::{not_found, refusal_page};

/// Adds every page and the targets of its forms. Call it after the routes of the API are added.
pub fn routes(config: &mut ServiceConfig) {
    config
        .app_data(RefusalPage(refusal_page))
        .service(assets::style())
        .service(assets::script())
        .service(assets::icon())
        .service(overview::resource())
        .service(jobs::resource())
        .service(jobs::actions::selected())
        .service(jobs::actions::cancel())
        .service(jobs::actions::retry())
        .service(jobs::actions::run_now())
        .service(jobs::actions::delete())
        .service(job::resource())
        .service(job::webhooks::retry_of_job())
        .service(job::webhooks::retry_of_batch())
        .service(submit::resource())
        .service(batches::resource())
        .service(batches::batch::resource())
        .service(batches::batch::cancel())
        .service(batches::batch::close())
        .service(batches::batch::retry())
        .service(queues::resource())
        .service(queue::resource())
        .service(queue::pause())
        .service(queue::resume())
        .service(queue::limit())
        .service(providers::resource())
        .service(demo::resource())
        .service(demo::buttons())
        .service(access::keys::resource())
        .service(access::keys::revoke())
        .service(access::session::login())
        .service(access::session::logout())
        .service(web::resource("/{path:.*}").guard(AcceptsHtml).to(not_found));
}

/// Matches requests outside `/v1` whose `Accept` header names `text/html`.
struct AcceptsHtml;

impl Guard for AcceptsHtml {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let head = context.head();
        let accept = head.headers().get(ACCEPT).map(|value| value.as_bytes()).unwrap_or_default();
        let path = head.uri.path();
        let is_api = path == "/v1" || path.starts_with("/v1/");
        !is_api && accept.windows(9).any(|part| part == b"text/html")
    }
}
