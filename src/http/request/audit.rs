//! The audit log: one line for each request that may change something.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::web::Data;
use tracing::Level;

use crate::actor::keyring::KeyEntry;
use crate::api::routes::RouteName;
use crate::api::routes::pages::{LOGIN, LOGOUT};
use crate::auth::hidden::without_secret;
use crate::http::request::auth::credential::Credential;
use crate::http::request::auth::target::Target;
use crate::http::request::client::origin_of;
use crate::job::problem::Quoted;
use crate::server::{ChangeNotes, Handle};

/// Target of the lines in the log.
const TARGET: &str = "longshore::audit";

/// Routes whose requests are logged with the level `debug`, because they are most of all requests.
const FREQUENT: [RouteName; 7] = [
    RouteName::SubmitJobs,
    RouteName::SubmitBatch,
    RouteName::AddJobs,
    RouteName::LeaseJobs,
    RouteName::WatchLeases,
    RouteName::ActOnLeases,
    RouteName::ActOnLease,
];

/// A request that is logged when it ends.
pub(super) struct Audit {
    key: Option<Arc<KeyEntry>>,
    method: String,
    route: String,
    id: Option<String>,
    client: Option<String>,
    is_frequent: bool,
    /// What the handlers say about the change.
    notes: Option<ChangeNotes>,
    /// Status of the answer; `None` if the client did not wait for it.
    status: Option<u16>,
}

impl Audit {
    /// Starts the line of a request, or returns `None` if it changes nothing or is not logged.
    pub(super) fn start(
        request: &ServiceRequest,
        credential: Option<&Credential>,
        key_of_session: fn(&ServiceRequest) -> Option<Arc<KeyEntry>>,
    ) -> Option<Self> {
        // Before the route is looked for, which costs something.
        if request.method().is_safe() || !tracing::enabled!(target: TARGET, Level::INFO) {
            return None;
        }
        let target = Target::of(request);
        if target.pattern == Some(LOGIN) {
            // It has a line of its own, with the key.
            return None;
        }
        let is_frequent = target.name.is_some_and(|name| FREQUENT.contains(&name));
        if is_frequent && !tracing::enabled!(target: TARGET, Level::DEBUG) {
            return None;
        }
        let path = request.match_info().as_str();
        let id = target.id(path);
        let key = match target.pattern {
            // It needs no key, so that a session that has ended can be left as well.
            Some(LOGOUT) => key_of_session(request),
            _ => credential.and_then(Credential::key).cloned(),
        };
        let notes = request.extensions_mut().get_mut::<Handle>().map(Handle::note_changes);
        Some(Self {
            key,
            method: Quoted(request.method().as_str()).to_string().trim_matches('"').to_owned(),
            route: target.pattern.map_or_else(|| without_secret(path), str::to_owned),
            id: id.map(|id| match id.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
                true if id.len() <= 64 => id.to_owned(),
                _ => without_secret(id),
            }),
            client: client_of(request),
            is_frequent,
            notes,
            status: None,
        })
    }

    /// Sets the status of the answer.
    pub(super) fn answered(mut self, status: u16) {
        self.status = Some(status);
    }
}

/// Returns the address of the client, as far as proxies are believed.
fn client_of(request: &ServiceRequest) -> Option<String> {
    let handle = request.app_data::<Data<Handle>>()?;
    let client = origin_of(request.request(), handle).client_ip;
    let peer = request.peer_addr();
    match (client, peer) {
        (Some(client), Some(peer)) if client == peer.ip().to_canonical() => Some(peer.to_string()),
        (Some(client), _) => Some(client.to_string()),
        (None, peer) => peer.map(|peer| peer.to_string()),
    }
}

/// Logs the request, also if its client did not wait for the answer: the change may have been made.
impl Drop for Audit {
    fn drop(&mut self) {
        let Self { method, route, id, client, status, .. } = self;
        let key = self.key.as_ref().map_or("none".into(), |key| key.id().to_string());
        let key_name = self.key.as_ref().map(|key| key.name().as_str());
        let changes = self.notes.as_ref().map(ChangeNotes::changes).unwrap_or_default();
        let id = id.as_deref().or(changes.created.as_deref());
        let (jobs, client) = (changes.jobs, client.as_deref());
        let job_ids = jobs.map(|_| changes.job_ids.as_str());
        if self.is_frequent {
            tracing::debug!(target: TARGET, key, key_name, %method, %route, id, status, client, "request");
        } else {
            tracing::info!(target: TARGET, key, key_name, %method, %route, id, jobs, job_ids, status, client, "change");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::ROUTES;

    #[test]
    fn no_request_of_a_remote_worker_is_logged_as_a_change() {
        let leases = ROUTES.iter().filter(|route| route.path.starts_with("/v1/leases"));
        let names: Vec<RouteName> = leases.map(|route| route.name).collect();
        assert!(names.contains(&RouteName::WatchLeases), "{names:?}");
        assert!(names.iter().all(|name| FREQUENT.contains(name)), "{names:?}");
    }
}
