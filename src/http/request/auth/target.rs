//! The route of a request, found before the router does.

use actix_web::dev::ServiceRequest;

use crate::api::routes::access::Access;
use crate::api::routes::{FoundRoute, RouteName, find, pages, parameter};
use crate::http::routes::access_of_name;

/// The route of a request, before the router has found it.
pub(in crate::http::request) struct Target {
    pub(in crate::http::request) access: Access,
    /// Pattern of the path, if it is in a table.
    pub(in crate::http::request) pattern: Option<&'static str>,
    pub(in crate::http::request) name: Option<RouteName>,
}

impl Target {
    pub(in crate::http::request) fn of(request: &ServiceRequest) -> Self {
        // Decoded as for the router.
        let (method, path) = (request.method().as_str(), request.match_info().as_str());
        match find(method, path) {
            Some(FoundRoute::Route(route)) => {
                let (pattern, name) = (Some(route.path), Some(route.name));
                return Self { access: route.access, pattern, name };
            }
            // The answer, 405, is the same for all.
            Some(FoundRoute::WrongMethod(routes)) => {
                let pattern = routes.first().map(|route| route.path);
                return Self { access: Access::AnyKey, pattern, name: None };
            }
            None => {}
        }
        let resource = request.resource_map().match_name(path);
        if resource == Some(pages::RESOURCE_NAME) {
            let page = pages::find(method, path);
            let access = page.map_or(Access::AllQueues, |page| page.access);
            return Self { access, pattern: page.map(|page| page.path), name: None };
        }
        let access = resource.and_then(access_of_name).unwrap_or(Access::AllQueues);
        Self { access, pattern: None, name: None }
    }

    /// Returns whether the path and method are those of a route of the API that needs a key.
    pub(in crate::http::request) fn is_of_api(&self) -> bool {
        self.name.is_some() && self.access != Access::Public
    }

    /// Returns the id or name in the path of a request.
    pub(in crate::http::request) fn id<'a>(&self, path: &'a str) -> Option<&'a str> {
        parameter(self.pattern?, path)
    }
}
