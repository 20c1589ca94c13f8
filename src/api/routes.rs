//! The table of routes: every path of the HTTP API with its methods.

pub mod access;
pub mod pages;
pub(crate) mod refusal_page;

use std::fmt;

use access::{ADMIN, Access, READ, SUBMIT, SUBMIT_OR_READ, WORK};

/// HTTP method of a route. The order is that of the methods in an `Allow` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads a resource.
    Get,
    /// As [`Method::Get`], without the body of the response.
    Head,
    /// Creates a resource or applies an action.
    Post,
    /// Changes the fields of a resource that the request contains.
    Patch,
    /// Removes a resource.
    Delete,
}

impl Method {
    /// Returns the method as it is written in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Name of a route, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteName {
    /// Submits one job, or many in one transaction.
    SubmitJobs,
    /// Lists jobs, newest first.
    ListJobs,
    /// Cancels many jobs.
    CancelJobs,
    /// Queues many jobs again.
    RetryJobs,
    /// Removes many final jobs.
    DeleteJobs,
    /// Returns a job.
    GetJob,
    /// Changes a job that waits.
    UpdateJob,
    /// Removes a final job.
    DeleteJob,
    /// Leases jobs to a remote worker.
    LeaseJobs,
    /// Applies the actions of a remote worker to many leases.
    ActOnLeases,
    /// Returns the leases whose jobs a remote worker should stop.
    WatchLeases,
    /// Applies one action of a remote worker to a lease.
    ActOnLease,
    /// Cancels a job.
    CancelJob,
    /// Queues a job again.
    RetryJob,
    /// Returns the log of a job.
    GetLog,
    /// Submits jobs as a batch.
    SubmitBatch,
    /// Lists batches, newest first.
    ListBatches,
    /// Returns a batch.
    GetBatch,
    /// Cancels the jobs of a batch.
    CancelBatch,
    /// Adds jobs to an open batch.
    AddJobs,
    /// Closes an open batch.
    CloseBatch,
    /// Queues the failed jobs of a batch again.
    RetryBatch,
    /// Returns the results of a batch.
    BatchResults,
    /// Lists all queues.
    ListQueues,
    /// Returns a queue.
    GetQueue,
    /// Changes the limits of a queue.
    ChangeQueue,
    /// Lists all providers.
    ListProviders,
    /// Returns a provider.
    GetProvider,
    /// Streams what happens to a job.
    JobEvents,
    /// Streams the counts of a batch.
    BatchEvents,
    /// Streams what happens to all jobs.
    AllEvents,
    /// Returns counts and latencies of the last hour.
    GetStats,
    /// Makes a token for reading a job in a browser.
    JobToken,
    /// Makes a token for reading a batch in a browser.
    BatchToken,
    /// Lists the deliveries of a job's webhook.
    JobDeliveries,
    /// Sends a webhook of a job again.
    RetryJobDelivery,
    /// Lists the deliveries of a batch's webhook.
    BatchDeliveries,
    /// Sends a webhook of a batch again.
    RetryBatchDelivery,
    /// Lists the kinds of jobs that the server accepts.
    ListKinds,
    /// Returns whether old final jobs are deleted.
    GetPruning,
    /// Confirms that old final jobs may be deleted.
    ConfirmPruning,
    /// Lists the API keys.
    ListKeys,
    /// Creates an API key.
    CreateKey,
    /// Revokes an API key.
    RevokeKey,
    /// Lists the webhook secrets.
    ListWebhookSecrets,
    /// Creates a webhook secret.
    CreateWebhookSecret,
    /// Replaces the value of a webhook secret.
    RotateWebhookSecret,
    /// Deletes a webhook secret.
    DeleteWebhookSecret,
    /// Answers whether the process serves requests.
    Health,
    /// The same, without a body.
    HealthHead,
    /// Answers whether the server leases jobs.
    Readiness,
    /// The same, without a body.
    ReadinessHead,
}

/// One method of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: Method,
    /// Path; names in braces are parameters.
    pub path: &'static str,
    /// Name of the route.
    pub name: RouteName,
    /// Who may use the route.
    pub access: Access,
}

/// Every route of the API.
///
/// The HTTP server tries the paths in this order, so the most frequent ones come first, and
/// `/v1/jobs/cancel` comes before `/v1/jobs/{id}`, which would match it as well. The routes of one
/// path are next to each other.
pub const ROUTES: &[Route] = &[
    route(Method::Post, "/v1/jobs", RouteName::SubmitJobs, SUBMIT),
    route(Method::Get, "/v1/jobs", RouteName::ListJobs, READ),
    route(Method::Post, "/v1/jobs/cancel", RouteName::CancelJobs, ADMIN),
    route(Method::Post, "/v1/jobs/retry", RouteName::RetryJobs, ADMIN),
    route(Method::Post, "/v1/jobs/delete", RouteName::DeleteJobs, ADMIN),
    route(Method::Get, "/v1/jobs/{id}", RouteName::GetJob, SUBMIT_OR_READ),
    route(Method::Patch, "/v1/jobs/{id}", RouteName::UpdateJob, ADMIN),
    route(Method::Delete, "/v1/jobs/{id}", RouteName::DeleteJob, ADMIN),
    route(Method::Post, "/v1/leases", RouteName::LeaseJobs, WORK),
    route(Method::Post, "/v1/leases/finish", RouteName::ActOnLeases, WORK),
    route(Method::Post, "/v1/leases/watch", RouteName::WatchLeases, WORK),
    route(Method::Post, "/v1/leases/{id}/{action}", RouteName::ActOnLease, WORK),
    route(Method::Post, "/v1/jobs/{id}/cancel", RouteName::CancelJob, SUBMIT),
    route(Method::Post, "/v1/jobs/{id}/retry", RouteName::RetryJob, ADMIN),
    route(Method::Get, "/v1/jobs/{id}/log", RouteName::GetLog, SUBMIT_OR_READ),
    route(Method::Post, "/v1/batches", RouteName::SubmitBatch, SUBMIT),
    route(Method::Get, "/v1/batches", RouteName::ListBatches, READ),
    route(Method::Get, "/v1/batches/{id}", RouteName::GetBatch, SUBMIT_OR_READ),
    route(Method::Post, "/v1/batches/{id}/cancel", RouteName::CancelBatch, SUBMIT),
    route(Method::Post, "/v1/batches/{id}/jobs", RouteName::AddJobs, SUBMIT),
    route(Method::Post, "/v1/batches/{id}/close", RouteName::CloseBatch, SUBMIT),
    route(Method::Post, "/v1/batches/{id}/retry", RouteName::RetryBatch, ADMIN),
    route(Method::Get, "/v1/batches/{id}/results", RouteName::BatchResults, SUBMIT_OR_READ),
    route(Method::Get, "/v1/queues", RouteName::ListQueues, READ),
    route(Method::Get, "/v1/queues/{name}", RouteName::GetQueue, READ),
    route(Method::Patch, "/v1/queues/{name}", RouteName::ChangeQueue, ADMIN),
    route(Method::Get, "/v1/providers", RouteName::ListProviders, READ),
    route(Method::Get, "/v1/providers/{name}", RouteName::GetProvider, READ),
    route(Method::Get, "/v1/jobs/{id}/events", RouteName::JobEvents, SUBMIT_OR_READ),
    route(Method::Get, "/v1/batches/{id}/events", RouteName::BatchEvents, SUBMIT_OR_READ),
    route(Method::Get, "/v1/events", RouteName::AllEvents, READ),
    route(Method::Get, "/v1/stats", RouteName::GetStats, READ),
    route(Method::Post, "/v1/jobs/{id}/token", RouteName::JobToken, SUBMIT_OR_READ),
    route(Method::Post, "/v1/batches/{id}/token", RouteName::BatchToken, SUBMIT_OR_READ),
    route(Method::Get, "/v1/jobs/{id}/deliveries", RouteName::JobDeliveries, SUBMIT_OR_READ),
    route(
        Method::Post,
        "/v1/jobs/{id}/deliveries/{delivery}/retry",
        RouteName::RetryJobDelivery,
        ADMIN,
    ),
    route(Method::Get, "/v1/batches/{id}/deliveries", RouteName::BatchDeliveries, SUBMIT_OR_READ),
    route(
        Method::Post,
        "/v1/batches/{id}/deliveries/{delivery}/retry",
        RouteName::RetryBatchDelivery,
        ADMIN,
    ),
    route(Method::Get, "/v1/kinds", RouteName::ListKinds, READ),
    route(Method::Get, "/v1/pruning", RouteName::GetPruning, Access::AllQueues),
    route(Method::Post, "/v1/pruning", RouteName::ConfirmPruning, Access::AllQueues),
    route(Method::Get, "/v1/keys", RouteName::ListKeys, Access::AllQueues),
    route(Method::Post, "/v1/keys", RouteName::CreateKey, Access::AllQueues),
    route(Method::Delete, "/v1/keys/{id}", RouteName::RevokeKey, Access::AllQueues),
    route(Method::Get, "/v1/webhook-secrets", RouteName::ListWebhookSecrets, Access::AllQueues),
    route(Method::Post, "/v1/webhook-secrets", RouteName::CreateWebhookSecret, Access::AllQueues),
    route(
        Method::Post,
        "/v1/webhook-secrets/{name}/rotate",
        RouteName::RotateWebhookSecret,
        Access::AllQueues,
    ),
    route(
        Method::Delete,
        "/v1/webhook-secrets/{name}",
        RouteName::DeleteWebhookSecret,
        Access::AllQueues,
    ),
    route(Method::Get, "/healthz", RouteName::Health, Access::Public),
    route(Method::Head, "/healthz", RouteName::HealthHead, Access::Public),
    route(Method::Get, "/readyz", RouteName::Readiness, Access::Public),
    route(Method::Head, "/readyz", RouteName::ReadinessHead, Access::Public),
];

const fn route(method: Method, path: &'static str, name: RouteName, access: Access) -> Route {
    Route { method, path, name, access }
}

/// Result of a search for the route of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundRoute {
    /// The route.
    Route(&'static Route),
    /// The path is that of these routes, none of which has the method.
    WrongMethod(&'static [Route]),
}

/// Returns the route of a request, as the HTTP server finds it: by the first path of the table that matches.
/// `path` is decoded as the server decodes it. Returns `None` if the path is not in the table.
pub fn find(method: &str, path: &str) -> Option<FoundRoute> {
    let (_, routes) = by_path().find(|(pattern, _)| matches(pattern, path))?;
    let route = routes.iter().find(|route| route.method.as_str() == method);
    Some(route.map_or(FoundRoute::WrongMethod(routes), FoundRoute::Route))
}

/// Returns whether a path matches a pattern, in which `{name}` is one segment of at least one character.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    if !pattern.contains('{') {
        return pattern == path;
    }
    let mut segments = path.split('/');
    let is_same = |part: &str| match segments.next() {
        Some(segment) if part.starts_with('{') => !segment.is_empty(),
        segment => segment == Some(part),
    };
    pattern.split('/').all(is_same) && segments.next().is_none()
}

/// Returns the first parameter in a path that matches a pattern, such as the id of a job.
pub fn parameter<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let mut pairs = pattern.split('/').zip(path.split('/'));
    pairs.find(|(part, _)| part.starts_with('{')).map(|(_, segment)| segment)
}

/// Returns each path with its routes, in the order of the table.
pub fn by_path() -> impl Iterator<Item = (&'static str, &'static [Route])> {
    let same_path = ROUTES.chunk_by(|one, next| one.path == next.path);
    same_path.filter_map(|routes| Some((routes.first()?.path, routes)))
}

/// Returns the value of the `Allow` header for a path with these routes, such as `GET, POST`.
pub fn allow(routes: &[Route]) -> String {
    let mut methods: Vec<Method> = routes.iter().map(|route| route.method).collect();
    methods.sort_unstable();
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_routes_are_in_the_order_of_their_names() {
        // So no name is missing or has two routes.
        for (index, route) in ROUTES.iter().enumerate() {
            assert_eq!(route.name as usize, index, "{route:?}");
        }
    }

    #[test]
    fn a_route_is_found_as_the_server_finds_it() {
        let name = |method, path| match find(method, path) {
            Some(FoundRoute::Route(route)) => Some(route.name),
            _ => None,
        };
        assert_eq!(name("POST", "/v1/jobs"), Some(RouteName::SubmitJobs));
        assert_eq!(name("GET", "/v1/jobs/7"), Some(RouteName::GetJob));
        assert_eq!(name("POST", "/v1/jobs/cancel"), Some(RouteName::CancelJobs));
        assert_eq!(name("POST", "/v1/jobs/cancel/cancel"), Some(RouteName::CancelJob));
        assert_eq!(name("POST", "/v1/leases/7/finish"), Some(RouteName::ActOnLease));
        let wrong = |method, path| matches!(find(method, path), Some(FoundRoute::WrongMethod(_)));
        assert!(
            wrong("GET", "/v1/jobs/cancel") && wrong("get", "/v1/jobs") && wrong("", "/healthz")
        );
        for path in [
            "",
            "/",
            "/v1/jobs/",
            "/v1/jobs//log",
            "/v1//jobs",
            "//v1/jobs",
            "/v1/jobs/7/",
            "/V1/jobs",
        ] {
            assert_eq!(find("GET", path), None, "{path}");
        }
        assert_eq!(parameter("/v1/jobs/{id}/log", "/v1/jobs/7/log"), Some("7"));
        assert_eq!(parameter("/v1/jobs", "/v1/jobs"), None);
    }

    #[test]
    fn a_path_occurs_once_with_all_its_methods() {
        let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(by_path().count(), paths.len());
    }

    #[test]
    fn allow_lists_the_methods_in_one_order() {
        let lists: BTreeSet<String> = by_path().map(|(_, routes)| allow(routes)).collect();
        let expected =
            ["DELETE", "GET", "GET, HEAD", "GET, PATCH", "GET, PATCH, DELETE", "GET, POST", "POST"]
                .map(String::from);
        assert_eq!(lists, BTreeSet::from(expected));
    }
}
