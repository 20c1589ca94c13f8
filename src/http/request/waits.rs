//! Which requests may wait for something else than the store, and so must end when their key does.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

use crate::api::routes::RouteName;
use crate::http::request::auth::target::Target;
use crate::http::request::prefer;

/// Routes that only write. They end soon by themselves, and the handle refuses a write with a key that has ended. A
/// change that is being written is answered with its effect, however long the disk takes.
///
/// A route that is not listed may wait. So one that is forgotten here still ends with its key.
const WRITES: [RouteName; 24] = [
    RouteName::SubmitJobs,
    RouteName::CancelJobs,
    RouteName::RetryJobs,
    RouteName::DeleteJobs,
    RouteName::UpdateJob,
    RouteName::DeleteJob,
    RouteName::ActOnLeases,
    RouteName::ActOnLease,
    RouteName::CancelJob,
    RouteName::RetryJob,
    RouteName::SubmitBatch,
    RouteName::CancelBatch,
    RouteName::AddJobs,
    RouteName::CloseBatch,
    RouteName::RetryBatch,
    RouteName::ChangeQueue,
    RouteName::RetryJobDelivery,
    RouteName::RetryBatchDelivery,
    RouteName::ConfirmPruning,
    RouteName::CreateKey,
    RouteName::RevokeKey,
    RouteName::CreateWebhookSecret,
    RouteName::RotateWebhookSecret,
    RouteName::DeleteWebhookSecret,
];

/// Returns whether a request may wait, as every request may that is not a plain write. Those of the pages are: each
/// form does one thing and shows what became of it.
pub(super) fn may_wait(request: &ServiceRequest) -> bool {
    // Decoded, as the router sees it.
    let is_form = !request.match_info().as_str().starts_with("/v1/");
    if is_form && request.method() == Method::POST {
        return false;
    }
    request.method().is_safe()
        || !request.query_string().is_empty()
        || request.headers().contains_key(prefer::PREFER)
        || Target::of(request).name.is_none_or(|name| !WRITES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::{self, ROUTES};

    #[test]
    fn every_change_is_a_write_or_known_to_wait() {
        let is_change = |method| {
            matches!(method, routes::Method::Post | routes::Method::Patch | routes::Method::Delete)
        };
        let changes = ROUTES.iter().filter(|route| is_change(route.method));
        let waits = changes.map(|route| route.name).filter(|name| !WRITES.contains(name));
        let expected = [
            RouteName::LeaseJobs,
            RouteName::WatchLeases,
            RouteName::JobToken,
            RouteName::BatchToken,
        ];
        assert_eq!(waits.collect::<Vec<_>>(), expected);
    }
}
