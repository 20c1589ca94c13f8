//! The table of pages: every path of the web pages with its methods, and who may use it.
//!
//! A page that is missing here needs a key that may do everything, so it is safe to forget one.

use std::fmt::Write;

use crate::api::routes::access::{ADMIN, Access, READ, SUBMIT, SUBMIT_AND_READ, SUBMIT_OR_READ};
use crate::api::routes::{Method, matches};

/// Name of all resources of pages in the HTTP server. It distinguishes them from resources of an application.
pub const RESOURCE_NAME: &str = "longshore:page";

/// Path of the page to sign in.
pub(crate) const LOGIN: &str = "/login";

/// Path of the form to sign out.
pub(crate) const LOGOUT: &str = "/logout";

/// Name of the cookie that holds the session of a user who has signed in.
pub(crate) const SESSION_COOKIE: &str = "longshore_session";

/// One method of a page. `HEAD` has the access of `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// HTTP method.
    pub method: Method,
    /// Path; names in braces are parameters.
    pub path: &'static str,
    /// Who may use the page.
    pub access: Access,
}

/// Every page and every form.
pub const PAGES: &[Page] = &[
    page(Method::Get, "/", READ),
    page(Method::Get, "/jobs", READ),
    page(Method::Post, "/jobs/selected", ADMIN),
    page(Method::Get, "/jobs/{id}", SUBMIT_OR_READ),
    page(Method::Post, "/jobs/{id}/cancel", SUBMIT),
    page(Method::Post, "/jobs/{id}/retry", ADMIN),
    page(Method::Post, "/jobs/{id}/run", ADMIN),
    page(Method::Post, "/jobs/{id}/delete", ADMIN),
    page(Method::Post, "/jobs/{id}/deliveries/{delivery}/retry", ADMIN),
    page(Method::Get, "/submit", SUBMIT),
    page(Method::Post, "/submit", SUBMIT),
    page(Method::Get, "/batches", READ),
    page(Method::Get, "/batches/{id}", SUBMIT_OR_READ),
    page(Method::Post, "/batches/{id}/cancel", SUBMIT),
    page(Method::Post, "/batches/{id}/close", SUBMIT),
    page(Method::Post, "/batches/{id}/retry", ADMIN),
    page(Method::Post, "/batches/{id}/deliveries/{delivery}/retry", ADMIN),
    page(Method::Get, "/queues", READ),
    page(Method::Get, "/queues/{name}", READ),
    page(Method::Post, "/queues/{name}/pause", ADMIN),
    page(Method::Post, "/queues/{name}/resume", ADMIN),
    page(Method::Post, "/queues/{name}/limits", ADMIN),
    page(Method::Get, "/providers", READ),
    page(Method::Get, "/demo", SUBMIT_AND_READ),
    page(Method::Post, "/demo/{button}", SUBMIT),
    page(Method::Get, "/keys", Access::AllQueues),
    page(Method::Post, "/keys", Access::AllQueues),
    page(Method::Post, "/keys/{id}/revoke", Access::AllQueues),
    page(Method::Get, LOGIN, Access::Public),
    page(Method::Post, LOGIN, Access::Public),
    page(Method::Post, LOGOUT, Access::Public),
    page(Method::Get, "/assets/style.css", Access::Public),
    page(Method::Get, "/assets/script.js", Access::Public),
    page(Method::Get, "/assets/icon.svg", Access::Public),
];

const fn page(method: Method, path: &'static str, access: Access) -> Page {
    Page { method, path, access }
}

/// Returns the page of a request. `path` is decoded as the server decodes it.
pub fn find(method: &str, path: &str) -> Option<&'static Page> {
    let method = if method == "HEAD" { "GET" } else { method };
    PAGES.iter().find(|page| page.method.as_str() == method && matches(page.path, path))
}

/// Returns who may use a page that is given as in the table; nobody but an administrator if it is not there.
pub(crate) fn access_of(method: Method, pattern: &str) -> Access {
    let page = PAGES.iter().find(|page| page.method == method && page.path == pattern);
    page.map_or(Access::AllQueues, |page| page.access)
}

/// Returns the path of the page to sign in, after which the user is sent to `next`.
pub(crate) fn login_path(next: &str) -> String {
    let mut path = format!("{LOGIN}?next=");
    for byte in next.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a text never fails.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_method_and_path() {
        let access = |method, path| find(method, path).map(|page| page.access);
        assert_eq!(access("GET", "/jobs"), Some(READ));
        assert_eq!(access("HEAD", "/jobs"), Some(READ));
        assert_eq!(access("GET", "/jobs/7"), Some(SUBMIT_OR_READ));
        assert_eq!(access("GET", "/submit"), Some(SUBMIT));
        assert_eq!(access("POST", "/submit"), Some(SUBMIT));
        assert_eq!(access("POST", "/jobs/selected"), Some(ADMIN));
        assert_eq!(access("GET", "/assets/script.js"), Some(Access::Public));
        for (method, path) in
            [("POST", "/"), ("GET", "/other"), ("GET", "/jobs/"), ("PUT", "/jobs")]
        {
            assert_eq!(access(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn the_page_to_sign_in_names_the_next_one() {
        assert_eq!(login_path("/jobs/7"), "/login?next=/jobs/7");
        assert_eq!(login_path("/jobs?a=%20&b=1"), "/login?next=/jobs%3Fa%3D%2520%26b%3D1");
    }
}
