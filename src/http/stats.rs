//! `/v1/stats`.

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, Resource};

use crate::http::answer::{Answered, ok, resource};
use crate::http::query::Parameters;
use crate::job::queue::NotAName;
use crate::server::Handle;

pub(super) fn all() -> Resource {
    resource("/v1/stats", "GET").route(web::get().to(stats))
}

async fn stats(request: HttpRequest, handle: Data<Handle>) -> Answered {
    let mut query = Parameters::read(&request, &["queue"])?;
    let queue = query.parse("queue", NotAName);
    query.whole()?;
    Ok(ok(&handle.stats(queue).await?))
}
