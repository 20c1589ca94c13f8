//! Permissions: what the user of a page may do, so that the page does not offer anything else.

use crate::api::routes::access::Access;
use crate::api::routes::pages::{access_of, find};
use crate::api::routes::{FoundRoute, Method, find as find_route};
use crate::auth::principal::Principal;
use crate::auth::viewer::Viewer;
use crate::job::QueueName;
use crate::server::Handle;

/// What the user of a page may do. It follows from the table of pages, which the server checks at each request.
#[derive(Debug, Clone)]
pub(crate) struct Permissions {
    viewer: Viewer,
}

impl Permissions {
    /// Returns what the principal of a handle may do.
    pub(crate) fn of(handle: &Handle) -> Self {
        let principal = handle.principal().clone();
        let key_name = principal.key.and_then(|id| handle.keyring().name_of(id));
        Self::of_viewer(Viewer { principal, key_name })
    }

    pub(crate) fn of_viewer(viewer: Viewer) -> Self {
        Self { viewer }
    }

    /// Returns what may be done without a key while one is needed: nothing.
    pub(crate) fn none() -> Self {
        Self::of_viewer(Viewer { principal: Principal::nobody(), key_name: None })
    }

    /// Returns the name of the key with which the user has signed in.
    pub(crate) fn key_name(&self) -> Option<&str> {
        self.viewer.key_name.as_ref().map(|name| name.as_str())
    }

    /// Returns the first page of the user, or `None` if there is no page for the key.
    pub(crate) fn home(&self) -> Option<&'static str> {
        ["/", "/submit"].into_iter().find(|path| self.open(path))
    }

    /// Returns whether the user may open the page at this path and finds something there.
    pub(crate) fn open(&self, path: &str) -> bool {
        let page = find("GET", path).map(|page| page.access);
        let is_useful = match path {
            // A provider is shared by the jobs of all queues.
            "/providers" => self.viewer.principal.queues.is_all(),
            // Most of its examples use this queue.
            "/demo" => self.see_queue(&QueueName::default()),
            _ => true,
        };
        page.is_some_and(|access| access.allows(&self.viewer.principal)) && is_useful
    }

    /// Returns whether the user may go on to this page or answer of the API after signing in.
    pub(crate) fn continue_to(&self, path: &str) -> bool {
        let route = match find_route("GET", path) {
            Some(FoundRoute::Route(route)) => Some(route.access),
            _ => find("GET", path).map(|page| page.access),
        };
        let needs_key = route.filter(|access| *access != Access::Public);
        needs_key.is_some_and(|access| access.allows(&self.viewer.principal))
    }

    /// Returns whether the user may see lists of jobs and what links lead to.
    pub(crate) fn read(&self) -> bool {
        self.open("/jobs")
    }

    pub(crate) fn see_providers(&self) -> bool {
        self.open("/providers")
    }

    pub(crate) fn submit(&self) -> bool {
        self.post("/submit")
    }

    pub(crate) fn cancel_jobs(&self) -> bool {
        self.post("/jobs/{id}/cancel")
    }

    /// Returns whether the user may retry jobs, start them now, delete them, and act on many of them.
    pub(crate) fn change_jobs(&self) -> bool {
        self.post("/jobs/selected")
    }

    /// Returns whether the user may send a webhook of a job or batch again.
    pub(crate) fn retry_deliveries(&self) -> bool {
        self.post("/jobs/{id}/deliveries/{delivery}/retry")
    }

    /// Returns whether the jobs of a queue exist for the user.
    pub(crate) fn see_queue(&self, queue: &QueueName) -> bool {
        self.viewer.principal.queues.allows(queue)
    }

    pub(crate) fn close_batches(&self) -> bool {
        self.post("/batches/{id}/close")
    }

    /// Returns whether the user may retry the failed jobs of batches.
    pub(crate) fn retry_batches(&self) -> bool {
        self.post("/batches/{id}/retry")
    }

    pub(crate) fn cancel_batches(&self) -> bool {
        self.post("/batches/{id}/cancel")
    }

    /// Returns whether the user may pause queues and set their limits.
    pub(crate) fn change_queues(&self) -> bool {
        self.post("/queues/{name}/limits")
    }

    fn post(&self, pattern: &str) -> bool {
        access_of(Method::Post, pattern).allows(&self.viewer.principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::pages::PAGES;
    use crate::auth::access::QueueAccess;
    use crate::auth::scope::{Scope, Scopes};

    fn with(scopes: &[Scope], queues: &[&str]) -> Permissions {
        let queues: Vec<_> = queues.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let queues = QueueAccess::of(&queues);
        let principal = Principal { key: None, scopes: Scopes::of(scopes), queues };
        Permissions::of_viewer(Viewer { principal, key_name: None })
    }

    fn all(may: &Permissions) -> [bool; 7] {
        [
            may.read(),
            may.see_providers(),
            may.submit(),
            may.cancel_jobs(),
            may.change_jobs(),
            may.cancel_batches(),
            may.change_queues(),
        ]
    }

    #[test]
    fn each_scope_allows_its_own_actions_and_admin_all() {
        assert_eq!(all(&with(&[Scope::Admin], &[])), [true; 7]);
        let (t, f) = (true, false);
        assert_eq!(all(&with(&[Scope::Admin], &["a*"])), [t, f, t, t, t, t, t]);
        assert_eq!(all(&with(&[Scope::Read], &[])), [t, t, f, f, f, f, f]);
        assert_eq!(all(&with(&[Scope::Read], &["a*"])), [t, f, f, f, f, f, f]);
        assert_eq!(all(&with(&[Scope::Submit], &[])), [f, f, t, t, f, t, f]);
        assert_eq!(all(&with(&[Scope::Work], &[])), [f; 7]);
        assert_eq!(all(&Permissions::none()), [f; 7]);
    }

    #[test]
    fn the_first_page_is_one_that_the_key_may_open() {
        assert_eq!(with(&[Scope::Admin], &["a*"]).home(), Some("/"));
        assert_eq!(with(&[Scope::Submit, Scope::Read], &[]).home(), Some("/"));
        assert_eq!(with(&[Scope::Submit], &[]).home(), Some("/submit"));
        assert_eq!(with(&[Scope::Work], &[]).home(), None);
        assert!(with(&[Scope::Admin], &[]).open("/keys"));
        assert!(!with(&[Scope::Admin], &["a*"]).open("/keys"));
        assert!(with(&[Scope::Submit, Scope::Read], &[]).open("/demo"));
        assert!(
            !with(&[Scope::Submit], &[]).open("/demo") && !with(&[Scope::Read], &[]).open("/demo")
        );
        let submit = with(&[Scope::Submit], &[]);
        assert!(submit.continue_to("/jobs/7") && submit.continue_to("/v1/jobs/7"));
        for path in ["/jobs", "/v1/jobs", "/login", "/assets/style.css", "/nowhere", "//jobs"] {
            assert!(!submit.continue_to(path), "{path}");
        }
    }

    #[test]
    fn every_action_is_in_the_table_of_pages() {
        for pattern in [
            "/submit",
            "/jobs/{id}/cancel",
            "/jobs/selected",
            "/batches/{id}/cancel",
            "/queues/{name}/limits",
        ] {
            let is_listed =
                PAGES.iter().any(|page| page.method == Method::Post && page.path == pattern);
            assert!(is_listed, "{pattern}");
        }
    }
}
