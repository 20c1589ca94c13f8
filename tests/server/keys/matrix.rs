//! The matrix: every route and every page with every kind of key. What is expected follows from the tables of
//! the application by one rule.

mod caller;
mod odd_forms;
mod target;

use serde_json::Value;

use super::{Key, call, first_key};
use crate::kit::{Server, Setup};
use caller::{Caller, Shown};
use longshore::api::routes::access::Access;
use target::{Entry, QUEUE, Reach, Resources, SECRET, entries};

/// Configuration with a provider, and without a limit that many requests would reach.
const CONFIG: &str = "[providers.main]\nbase_url = 'http://127.0.0.1:9/v1'\n";

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// 401: no valid key.
    Unauthorized,
    /// 403: a key that may not do this.
    Forbidden,
    /// 404: what is asked for does not exist for this key.
    NotFound,
    /// 404 or 409: nobody with this key holds the lease.
    NoLease,
    /// 401 or 403: a token that is not for this.
    Refused,
    /// The request is served.
    Served,
}

impl Expected {
    /// The rule of the matrix.
    fn of(entry: Entry, caller: &Caller) -> Self {
        if !caller.may_use(entry.access()) {
            return match caller.shown {
                Shown::Nothing => Self::Unauthorized,
                Shown::Token => Self::Refused,
                Shown::Key { .. } => Self::Forbidden,
            };
        }
        if !caller.is_bound() || entry.access() == Access::Public {
            return Self::Served;
        }
        match entry.reach() {
            Reach::Server | Reach::Lists | Reach::Entries => Self::Served,
            Reach::One => Self::NotFound,
            Reach::Lease => Self::NoLease,
            Reach::Queue => Self::Forbidden,
        }
    }

    fn is_met_by(self, status: u16) -> bool {
        match self {
            Self::Unauthorized => status == 401,
            Self::Forbidden => status == 403,
            Self::NotFound => status == 404,
            Self::NoLease => matches!(status, 404 | 409),
            Self::Refused => matches!(status, 401 | 403),
            Self::Served => status < 400,
        }
    }
}

/// A server with its first key.
struct World {
    server: Server,
    ops: Key,
    callers: Vec<Caller>,
}

impl World {
    fn start() -> Self {
        let server = Setup::new().config(CONFIG).start();
        let ops = first_key(&server);
        let callers = caller::all(&server, &ops);
        Self { server, ops, callers }
    }

    fn resources(&self, worker: &Caller, number: usize) -> Resources {
        Resources::create(&self.server, &Caller::administrator(&self.ops), worker, number)
    }

    /// Returns each route and page with each caller.
    fn pairs(&self) -> impl Iterator<Item = (Entry, &Caller)> {
        entries().flat_map(|entry| self.callers.iter().map(move |caller| (entry, caller)))
    }

    /// Returns everything that requests can change.
    fn state(&self) -> Vec<Value> {
        let paths = [
            "/v1/jobs?limit=200&include=payload,result",
            "/v1/batches?limit=200",
            "/v1/queues",
            "/v1/keys",
            "/v1/webhook-secrets",
            "/v1/pruning",
        ];
        let read = |path| call(&self.server, &self.ops, "GET", path, None).expect(200);
        paths.into_iter().map(|path| without_times(read(path))).collect()
    }
}

/// Removes what changes by itself.
fn without_times(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(without_times).collect(),
        Value::Object(fields) => {
            let changes = |name: &str| {
                ["last_used_at", "now", "last_activity_at"].contains(&name)
                    || name.starts_with("oldest_queued_age")
            };
            let kept = fields.into_iter().filter(|(name, _)| !changes(name));
            kept.map(|(name, value)| (name, without_times(value))).collect()
        }
        other => other,
    }
}

/// Fails with all lines, if there are any.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Fails with the lines that differ between two states.
fn assert_same(before: &[Value], after: &[Value]) {
    let lines = |state: &[Value]| -> Vec<String> {
        let text = serde_json::to_string_pretty(state).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let changed = after.iter().filter(|line| !before.contains(line));
    let changed: Vec<String> = changed.map(|line| format!("changed: {line}")).collect();
    assert_none(&changed);
    assert_eq!(before, after);
}

/// Sends a request and returns what is wrong with its answer, as a line.
fn check(
    world: &World,
    (entry, caller): (Entry, &Caller),
    resources: &Resources,
) -> Option<String> {
    let expected = Expected::of(entry, caller);
    let target = entry.target(resources);
    let (status, text) = match target.method {
        "HEAD" => (caller.status(&world.server, &target), String::new()),
        _ => {
            let answer = caller.send(&world.server, &target);
            (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
        }
    };
    let shows_others = caller.is_bound() && (text.contains(SECRET) || text.contains(QUEUE));
    let why = match expected.is_met_by(status) {
        false if expected == Expected::Served && is_unknown_parameter(caller, status) => {
            return None;
        }
        false => "",
        true if status < 400 && shows_others => "the answer shows another queue: ",
        true => return None,
    };
    let (route, caller) = (entry.name(), &caller.name);
    let start: String = text.chars().take(200).collect();
    Some(format!("{route} with {caller}: expected {expected:?}, found {status}: {why}{start}"))
}

/// Returns whether a route that looks at no token has refused it as a parameter that it does not know.
fn is_unknown_parameter(caller: &Caller, status: u16) -> bool {
    caller.has_parameter() && status == 400
}

#[test]
fn every_refused_request_is_refused_as_the_tables_say_and_changes_nothing() {
    let world = World::start();
    let resources = world.resources(&Caller::administrator(&world.ops), 0);
    let before = world.state();
    let mut wrong = Vec::new();
    for (entry, caller) in world.pairs() {
        let is_refused = Expected::of(entry, caller) != Expected::Served;
        // What a key of other queues may do has no effect on this one.
        if is_refused || caller.is_bound() {
            wrong.extend(check(&world, (entry, caller), &resources));
        }
    }
    assert_none(&wrong);
    assert_same(&before, &world.state());
}

#[test]
fn every_other_request_is_served() {
    let world = World::start();
    let ops = Caller::administrator(&world.ops);
    let (mut wrong, mut number) = (Vec::new(), 0);
    for (entry, caller) in world.pairs() {
        if Expected::of(entry, caller) != Expected::Served || caller.is_bound() {
            continue;
        }
        number += 1;
        // A lease belongs to the key that took it.
        let is_lease = matches!(entry.reach(), Reach::Lease) || entry.path() == "/v1/leases/finish";
        let resources = world.resources(if is_lease { caller } else { &ops }, number);
        wrong.extend(check(&world, (entry, caller), &resources));
    }
    assert_none(&wrong);
}
