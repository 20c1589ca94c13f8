//! Callers: every kind of key, token and session with which a request can be made.

use longshore::api::routes::access::Access;
use longshore::api::routes::pages::PAGES;
use longshore::auth::scope::{Scope, Scopes};
use longshore::auth::secret::KeySecret;
use serde_json::{Value, json};

use super::target::{QUEUE, Target};
use crate::keys::{Key, bearer, call, create, damaged};
use crate::kit::leases::remote;
use crate::kit::{Response, Server, eventually, with};

/// Pattern of the queues of keys that are bound to other queues than [`QUEUE`].
pub(super) const OTHER_QUEUES: &str = "blog.*";

/// What a caller has shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// Nothing, or a key that is not valid.
    Nothing,
    /// A valid key, or the session of one.
    Key { scopes: Scopes, is_bound: bool },
    /// A token for something else.
    Token,
}

/// One way to make a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) name: String,
    headers: Vec<(&'static str, String)>,
    /// Parameter that is added to the path.
    query: Option<String>,
    pub(super) shown: Shown,
}

impl Caller {
    fn new(name: impl Into<String>, authorization: Option<String>, shown: Shown) -> Self {
        let headers = authorization.map(|value| ("authorization", value));
        Self { name: name.into(), headers: headers.into_iter().collect(), query: None, shown }
    }

    fn of_key(name: &str, key: &Key, shown: Shown) -> Self {
        Self::new(name, Some(bearer(key)), shown)
    }

    /// Returns the caller who may do everything.
    pub(super) fn administrator(key: &Key) -> Self {
        Self::of_key("ops", key, Shown::Key { scopes: Scopes::ADMIN, is_bound: false })
    }

    /// Returns whether the table lets the caller use a route. The resource may still not exist for it.
    pub(super) fn may_use(&self, access: Access) -> bool {
        let Shown::Key { scopes, is_bound } = self.shown else { return access == Access::Public };
        let is_admin = scopes.iter().any(|scope| scope == Scope::Admin);
        match access {
            Access::Public | Access::AnyKey => true,
            Access::Scopes(wanted) => {
                is_admin || wanted.iter().any(|one| scopes.iter().any(|scope| scope == one))
            }
            Access::EveryScope(wanted) => {
                is_admin || wanted.iter().all(|one| scopes.iter().any(|scope| scope == one))
            }
            Access::AllQueues => is_admin && !is_bound,
        }
    }

    /// Returns whether the caller adds a parameter to the query.
    pub(super) fn has_parameter(&self) -> bool {
        self.query.is_some()
    }

    pub(super) fn is_bound(&self) -> bool {
        matches!(self.shown, Shown::Key { is_bound: true, .. })
    }

    /// Sends a request as a page of the server would, so that forms are not refused for their origin.
    pub(super) fn send(&self, server: &Server, target: &Target) -> Response {
        let (path, headers) = self.path_and_headers(server, target);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        server.request(target.method, &path, &headers, target.body.as_bytes())
    }

    /// Sends a request and returns the status of the answer, also to a `HEAD`, whose answer has no body although
    /// its head gives the length of one.
    pub(super) fn status(&self, server: &Server, target: &Target) -> u16 {
        if target.method != "HEAD" {
            return self.send(server, target).status;
        }
        let (path, headers) = self.path_and_headers(server, target);
        let mut head =
            format!("HEAD {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", server.addr());
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        let mut connection = server.connect();
        connection.send(head + "\r\n").unwrap();
        let answer = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    fn path_and_headers(&self, server: &Server, target: &Target) -> (String, Vec<(&str, String)>) {
        let mut headers: Vec<(&str, String)> = self.headers.clone();
        headers.push(("origin", server.url()));
        headers.extend(target.headers.iter().map(|(name, value)| (*name, value.clone())));
        let path = match &self.query {
            Some(query) => format!("{}?{query}", target.path),
            None => target.path.clone(),
        };
        (path, headers)
    }
}

/// Returns every caller.
pub(super) fn all(server: &Server, ops: &Key) -> Vec<Caller> {
    let mut callers = invalid(server, ops);
    callers.extend(valid(server, ops));
    callers.extend(with_token(server, ops));
    callers.extend(with_session(server, ops));
    callers
}

/// Returns the callers without a valid key.
fn invalid(server: &Server, ops: &Key) -> Vec<Caller> {
    let admin = |name: &str| with(json!({"name": name}), &json!({"scopes": ["admin"]}));
    let revoked = create(server, ops, &admin("revoked"));
    call(server, ops, "DELETE", &format!("/v1/keys/{}", revoked.id), None).expect(200);
    let expired = with(admin("expired"), &json!({"expires_in": "1s"}));
    let expired = create(server, ops, &expired);
    eventually("the key expires", || {
        (call(server, &expired, "GET", "/v1/kinds", None).status == 401).then_some(())
    });
    let header = |name: &str, value: &str| Caller::new(name, Some(value.into()), Shown::Nothing);
    let unknown = KeySecret::from_random([7; 32]);
    vec![
        Caller::new("no key", None, Shown::Nothing),
        header("wrong key", &format!("Bearer {}", unknown.reveal())),
        header("another scheme", &format!("Basic {}", ops.secret)),
        header("no scheme", &ops.secret),
        Caller::of_key("damaged key", &damaged(ops), Shown::Nothing),
        Caller::of_key("expired key", &expired, Shown::Nothing),
        Caller::of_key("revoked key", &revoked, Shown::Nothing),
    ]
}

/// Returns callers with each scope alone and with all scopes, for all queues and for others than [`QUEUE`].
fn valid(server: &Server, ops: &Key) -> Vec<Caller> {
    let mut sets: Vec<Vec<Scope>> = Scope::ALL.iter().map(|scope| vec![*scope]).collect();
    sets.push(Scope::ALL.to_vec());
    let mut callers = Vec::new();
    for (scopes, is_bound) in sets.iter().flat_map(|set| [(set, false), (set, true)]) {
        let set = Scopes::of(scopes);
        let name = if is_bound { format!("{set} of {OTHER_QUEUES}") } else { set.to_string() };
        let mut request = json!({"name": name.replace(", ", " "), "scopes": set});
        if is_bound {
            request["queues"] = json!([OTHER_QUEUES]);
        }
        let key = create(server, ops, &request);
        callers.push(Caller::of_key(&name, &key, Shown::Key { scopes: set, is_bound }));
    }
    callers
}

/// Returns callers with the token of another job or batch, in the header and in the query.
fn with_token(server: &Server, ops: &Key) -> Vec<Caller> {
    let job = with(remote("token"), &json!({"queue": QUEUE, "delay": "1h"}));
    let id = call(server, ops, "POST", "/v1/jobs", Some(&job)).expect(202)["id"].clone();
    let batch = call(server, ops, "POST", "/v1/batches", Some(&json!({"jobs": [job]})));
    let batch = batch.expect(202)["id"].clone();
    let token = |path: String| -> Value {
        call(server, ops, "POST", &path, None).expect(201)["token"].clone()
    };
    let of_job = token(format!("/v1/jobs/{id}/token"));
    let of_batch = token(format!("/v1/batches/{batch}/token"));
    let (of_job, of_batch) = (of_job.as_str().unwrap(), of_batch.as_str().unwrap());
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let in_query = Caller {
        query: Some(format!("token={of_job}")),
        ..Caller::new("token of another job in the query", None, Shown::Token)
    };
    vec![
        Caller::new("token of another job", bearer(of_job), Shown::Token),
        Caller::new("token of another batch", bearer(of_batch), Shown::Token),
        in_query,
    ]
}

/// Returns callers with the cookie of a session, if there is a page to sign in.
fn with_session(server: &Server, ops: &Key) -> Vec<Caller> {
    if !PAGES.iter().any(|page| page.path == "/login") {
        return Vec::new();
    }
    let mut callers = Vec::new();
    for (scope, is_bound) in [(Scope::Read, false), (Scope::Admin, false), (Scope::Admin, true)] {
        let set = Scopes::of(&[scope]);
        let name = format!("session of {scope}{}", if is_bound { " of other queues" } else { "" });
        let queues = if is_bound { vec![OTHER_QUEUES] } else { Vec::new() };
        let key = json!({"name": name, "scopes": set, "queues": queues});
        let cookie = sign_in(server, &create(server, ops, &key));
        let shown = Shown::Key { scopes: set, is_bound };
        let headers = vec![("cookie", cookie.clone())];
        callers.push(Caller { headers, ..Caller::new(&name, None, shown) });
        // The value of the cookie is no token for the API.
        if let Some((_, token)) = cookie.split_once('=') {
            let name = format!("cookie of the {name} as a key");
            callers.push(Caller::new(name, Some(format!("Bearer {token}")), Shown::Token));
        }
    }
    callers
}

/// Signs in with a key and returns the cookie of the session.
fn sign_in(server: &Server, key: &Key) -> String {
    let form = format!("key={}", key.secret);
    let target = Target::form("/login", form);
    let answer = Caller::new("", None, Shown::Nothing).send(server, &target);
    assert_eq!(answer.status, 303, "{}", String::from_utf8_lossy(&answer.body));
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}
