//! Registers the routes of the table with their handlers.

use actix_web::http::Method as HttpMethod;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};

use crate::api::routes::access::Access;
use crate::api::routes::{Method, Route, RouteName, allow, by_path};
use crate::auth::scope::{Scope, Scopes};
use crate::http::problem::{method_not_allowed, not_found};
use crate::http::{batches, bulk, deliveries, events, jobs, kinds, leases, operations, queues};

/// Registers every route of the API.
///
/// actix-web tries the paths in the order of the table. There is no `web::scope`, because it would
/// add a step to each match.
pub fn routes(config: &mut ServiceConfig) {
    for (path, routes) in by_path() {
        config.service(resource(path, routes));
    }
    config.default_service(web::to(not_found));
}

/// Returns a resource with these routes, which answers other methods with 405 and `Allow`.
fn resource(path: &str, routes: &[Route]) -> Resource {
    let allow = allow(routes);
    let wrong_method = move |request: HttpRequest| {
        let rejection = method_not_allowed(&request, allow.clone());
        async move { Err::<HttpResponse, _>(rejection) }
    };
    let resource = web::resource(path).default_service(web::to(wrong_method));
    routes.iter().fold(resource, |resource, route| resource.route(served(route)))
}

/// Returns a route of the table with its handler.
fn served(Route { method, name, .. }: &Route) -> actix_web::Route {
    let route = web::method(http_method(*method));
    match name {
        RouteName::SubmitJobs => route.to(jobs::submit),
        RouteName::ListJobs => route.to(jobs::list),
        RouteName::CancelJobs => route.to(bulk::cancel),
        RouteName::RetryJobs => route.to(bulk::retry),
        RouteName::DeleteJobs => route.to(bulk::delete),
        RouteName::GetJob => route.to(jobs::status),
        RouteName::UpdateJob => route.to(jobs::update),
        RouteName::DeleteJob => route.to(jobs::delete),
        RouteName::LeaseJobs => route.to(leases::lease),
        RouteName::ActOnLeases => route.to(leases::act_on_list),
        RouteName::WatchLeases => route.to(leases::watch),
        RouteName::ActOnLease => route.to(leases::act),
        RouteName::CancelJob => route.to(jobs::cancel_job),
        RouteName::RetryJob => route.to(jobs::retry_job),
        RouteName::GetLog => route.to(jobs::show_log),
        RouteName::SubmitBatch => route.to(batches::submit::submit),
        RouteName::ListBatches => route.to(batches::list),
        RouteName::GetBatch => route.to(batches::status),
        RouteName::CancelBatch => route.to(batches::cancel_batch),
        RouteName::AddJobs => route.to(batches::submit::add_jobs),
        RouteName::CloseBatch => route.to(batches::close_batch),
        RouteName::RetryBatch => route.to(batches::retry_batch),
        RouteName::BatchResults => route.to(batches::results::results),
        RouteName::ListQueues => route.to(queues::list),
        RouteName::GetQueue => route.to(queues::status),
        RouteName::ChangeQueue => route.to(queues::change),
        RouteName::ListProviders => route.to(operations::providers::list),
        RouteName::GetProvider => route.to(operations::providers::status),
        RouteName::JobEvents => route.to(events::subscribe_to_job),
        RouteName::BatchEvents => route.to(events::subscribe_to_batch),
        RouteName::AllEvents => route.to(events::subscribe_to_all),
        RouteName::GetStats => route.to(operations::stats::stats),
        RouteName::JobToken => route.to(operations::tokens::for_job),
        RouteName::BatchToken => route.to(operations::tokens::for_batch),
        RouteName::JobDeliveries => route.to(deliveries::of_job),
        RouteName::RetryJobDelivery => route.to(deliveries::retry_of_job),
        RouteName::BatchDeliveries => route.to(deliveries::of_batch),
        RouteName::RetryBatchDelivery => route.to(deliveries::retry_of_batch),
        RouteName::ListKinds => route.to(kinds::list),
        RouteName::GetPruning => route.to(operations::pruning::status),
        RouteName::ConfirmPruning => route.to(operations::pruning::confirm),
        RouteName::ListKeys => route.to(operations::keys::list),
        RouteName::CreateKey => route.to(operations::keys::create),
        RouteName::RevokeKey => route.to(operations::keys::revoke),
        RouteName::ListWebhookSecrets => route.to(operations::webhook_secrets::list),
        RouteName::CreateWebhookSecret => route.to(operations::webhook_secrets::create),
        RouteName::RotateWebhookSecret => route.to(operations::webhook_secrets::rotate),
        RouteName::DeleteWebhookSecret => route.to(operations::webhook_secrets::delete),
        RouteName::Health | RouteName::HealthHead => route.to(operations::health::alive),
        RouteName::Readiness | RouteName::ReadinessHead => route.to(operations::health::ready),
    }
}

/// Start of the names of resources whose scope an application has set.
const ACCESS_PREFIX: &str = "longshore:access:";

/// Name of the access without a key.
const PUBLIC: &str = "public";

/// Lets every request use a resource of the application, also without a key. It sets the name of the resource.
///
/// Resources of the application that neither this function nor [`scoped`] has marked need a key with the
/// scope `admin` and without a queue pattern, if keys are needed at all. If the path of a request matches
/// several resources, which may have guards, the mark of the first one counts. So add marked resources before
/// those of the pages, which match every path.
pub fn public(resource: Resource) -> Resource {
    resource.name(&format!("{ACCESS_PREFIX}{PUBLIC}"))
}

/// Lets keys with this scope, or with `admin`, use a resource of the application. It sets the name of the
/// resource. See [`public`].
pub fn scoped(resource: Resource, scope: Scope) -> Resource {
    resource.name(&format!("{ACCESS_PREFIX}{scope}"))
}

/// Returns the access of a resource that [`public`] or [`scoped`] has marked.
pub(super) fn access_of_name(name: &str) -> Option<Access> {
    match name.strip_prefix(ACCESS_PREFIX)? {
        PUBLIC => Some(Access::Public),
        scope => Some(Access::Scopes(Scopes::of(&[scope.parse().ok()?]))),
    }
}

fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::GET,
        Method::Head => HttpMethod::HEAD,
        Method::Post => HttpMethod::POST,
        Method::Patch => HttpMethod::PATCH,
        Method::Delete => HttpMethod::DELETE,
    }
}
