//! The table of routes: every path of the HTTP API with its methods.

use std::fmt;

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
    /// Lists the kinds of jobs that the server accepts.
    ListKinds,
    /// Returns whether old final jobs are deleted.
    GetPruning,
    /// Confirms that old final jobs may be deleted.
    ConfirmPruning,
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
}

/// Every route of the API.
///
/// The HTTP server tries the paths in this order, so the most frequent ones come first, and
/// `/v1/jobs/cancel` comes before `/v1/jobs/{id}`, which would match it as well. The routes of one
/// path are next to each other.
pub const ROUTES: &[Route] = &[
    route(Method::Post, "/v1/jobs", RouteName::SubmitJobs),
    route(Method::Get, "/v1/jobs", RouteName::ListJobs),
    route(Method::Post, "/v1/jobs/cancel", RouteName::CancelJobs),
    route(Method::Post, "/v1/jobs/retry", RouteName::RetryJobs),
    route(Method::Post, "/v1/jobs/delete", RouteName::DeleteJobs),
    route(Method::Get, "/v1/jobs/{id}", RouteName::GetJob),
    route(Method::Patch, "/v1/jobs/{id}", RouteName::UpdateJob),
    route(Method::Delete, "/v1/jobs/{id}", RouteName::DeleteJob),
    route(Method::Post, "/v1/leases", RouteName::LeaseJobs),
    route(Method::Post, "/v1/leases/finish", RouteName::ActOnLeases),
    route(Method::Post, "/v1/leases/{id}/{action}", RouteName::ActOnLease),
    route(Method::Post, "/v1/jobs/{id}/cancel", RouteName::CancelJob),
    route(Method::Post, "/v1/jobs/{id}/retry", RouteName::RetryJob),
    route(Method::Get, "/v1/jobs/{id}/log", RouteName::GetLog),
    route(Method::Post, "/v1/batches", RouteName::SubmitBatch),
    route(Method::Get, "/v1/batches", RouteName::ListBatches),
    route(Method::Get, "/v1/batches/{id}", RouteName::GetBatch),
    route(Method::Post, "/v1/batches/{id}/cancel", RouteName::CancelBatch),
    route(Method::Get, "/v1/queues", RouteName::ListQueues),
    route(Method::Get, "/v1/queues/{name}", RouteName::GetQueue),
    route(Method::Patch, "/v1/queues/{name}", RouteName::ChangeQueue),
    route(Method::Get, "/v1/providers", RouteName::ListProviders),
    route(Method::Get, "/v1/providers/{name}", RouteName::GetProvider),
    route(Method::Get, "/v1/jobs/{id}/events", RouteName::JobEvents),
    route(Method::Get, "/v1/batches/{id}/events", RouteName::BatchEvents),
    route(Method::Get, "/v1/events", RouteName::AllEvents),
    route(Method::Get, "/v1/stats", RouteName::GetStats),
    route(Method::Get, "/v1/kinds", RouteName::ListKinds),
    route(Method::Get, "/v1/pruning", RouteName::GetPruning),
    route(Method::Post, "/v1/pruning", RouteName::ConfirmPruning),
    route(Method::Get, "/healthz", RouteName::Health),
    route(Method::Head, "/healthz", RouteName::HealthHead),
    route(Method::Get, "/readyz", RouteName::Readiness),
    route(Method::Head, "/readyz", RouteName::ReadinessHead),
];

const fn route(method: Method, path: &'static str, name: RouteName) -> Route {
    Route { method, path, name }
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
    fn a_path_occurs_once_with_all_its_methods() {
        let paths: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(by_path().count(), paths.len());
    }

    #[test]
    fn allow_lists_the_methods_in_one_order() {
        let lists: BTreeSet<String> = by_path().map(|(_, routes)| allow(routes)).collect();
        let expected =
            ["GET", "GET, HEAD", "GET, PATCH", "GET, PATCH, DELETE", "GET, POST", "POST"]
                .map(String::from);
        assert_eq!(lists, BTreeSet::from(expected));
    }
}
