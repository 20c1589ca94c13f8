//! Targets: a request to each route and each page, for real resources and with a body that is valid.

use longshore::api::routes::access::Access;
use longshore::api::routes::pages::{PAGES, Page};
use longshore::api::routes::{Method, ROUTES, Route, RouteName};
use serde_json::{Value, json};

use super::caller::Caller;
use crate::kit::leases::remote;
use crate::kit::{Server, with};

/// Queue of all resources.
pub(super) const QUEUE: &str = "shop.a";

/// A text in the resources, which no caller that is bound to other queues may see.
pub(super) const SECRET: &str = "shop-secret";

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Target {
    fn json(method: Method, path: String, body: Option<&Value>) -> Self {
        let header = body.map(|_| ("content-type", "application/json".to_owned()));
        let body = body.map(Value::to_string).unwrap_or_default();
        Self { method: method.as_str(), path, headers: header.into_iter().collect(), body }
    }

    pub(super) fn form(path: impl Into<String>, body: String) -> Self {
        let form = "application/x-www-form-urlencoded".to_owned();
        Self { method: "POST", path: path.into(), headers: vec![("content-type", form)], body }
    }
}

/// What a route reaches beyond its own scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The same for all keys.
    Server,
    /// Lists and sums, from which other queues are left out.
    Lists,
    /// One resource, which does not exist for a key of other queues.
    One,
    /// One lease, which is held by somebody else.
    Lease,
    /// A queue that the request names, or something of all queues.
    Queue,
    /// Entries that are refused one by one.
    Entries,
}

/// A route of the API or a page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Api(&'static Route),
    Page(&'static Page),
}

/// Returns every route and every page.
pub(super) fn entries() -> impl Iterator<Item = Entry> {
    ROUTES.iter().map(Entry::Api).chain(PAGES.iter().map(Entry::Page))
}

impl Entry {
    pub(super) fn access(self) -> Access {
        match self {
            Self::Api(route) => route.access,
            Self::Page(page) => page.access,
        }
    }

    pub(super) fn method(self) -> Method {
        match self {
            Self::Api(route) => route.method,
            Self::Page(page) => page.method,
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Api(route) => route.path,
            Self::Page(page) => page.path,
        }
    }

    pub(super) fn name(self) -> String {
        format!("{} {}", self.method(), self.path())
    }

    /// Returns what the route reaches. A new route does not compile until it is listed here.
    pub(super) fn reach(self) -> Reach {
        let route = match self {
            Self::Api(route) => route,
            Self::Page(page) => return reach_of_page(page),
        };
        match route.name {
            RouteName::SubmitJobs
            | RouteName::SubmitBatch
            | RouteName::AddJobs
            | RouteName::LeaseJobs
            | RouteName::ChangeQueue
            | RouteName::ListProviders
            | RouteName::GetProvider => Reach::Queue,
            RouteName::ListJobs
            | RouteName::ListBatches
            | RouteName::ListQueues
            | RouteName::AllEvents
            | RouteName::GetStats => Reach::Lists,
            RouteName::CancelJobs
            | RouteName::RetryJobs
            | RouteName::DeleteJobs
            | RouteName::ActOnLeases
            | RouteName::WatchLeases => Reach::Entries,
            RouteName::ActOnLease => Reach::Lease,
            RouteName::GetJob
            | RouteName::UpdateJob
            | RouteName::DeleteJob
            | RouteName::CancelJob
            | RouteName::RetryJob
            | RouteName::GetLog
            | RouteName::GetBatch
            | RouteName::CancelBatch
            | RouteName::CloseBatch
            | RouteName::RetryBatch
            | RouteName::BatchResults
            | RouteName::GetQueue
            | RouteName::JobEvents
            | RouteName::BatchEvents
            | RouteName::JobToken
            | RouteName::BatchToken
            | RouteName::JobDeliveries
            | RouteName::RetryJobDelivery
            | RouteName::BatchDeliveries
            | RouteName::RetryBatchDelivery => Reach::One,
            RouteName::ListKinds
            | RouteName::GetPruning
            | RouteName::ConfirmPruning
            | RouteName::ListKeys
            | RouteName::CreateKey
            | RouteName::RevokeKey
            | RouteName::ListWebhookSecrets
            | RouteName::CreateWebhookSecret
            | RouteName::RotateWebhookSecret
            | RouteName::DeleteWebhookSecret
            | RouteName::Health
            | RouteName::HealthHead
            | RouteName::Readiness
            | RouteName::ReadinessHead => Reach::Server,
        }
    }

    /// Returns a valid request to the route.
    pub(super) fn target(self, resources: &Resources) -> Target {
        let path = resources.fill(self.method(), self.path());
        match self {
            Self::Api(route) => {
                Target::json(route.method, path, resources.body(route.name).as_ref())
            }
            Self::Page(page) if page.method == Method::Post => {
                Target::form(path, resources.form(page.path))
            }
            Self::Page(page) => Target::json(page.method, path, None),
        }
    }
}

fn reach_of_page(page: &Page) -> Reach {
    match (page.method, page.path) {
        (Method::Post, "/submit" | "/demo/{button}") | (_, "/providers") => Reach::Queue,
        (Method::Post, path) if path.contains("{name}") => Reach::Queue,
        (_, path) if path.contains('{') => Reach::One,
        _ => Reach::Lists,
    }
}

/// What the requests are about. Everything is in [`QUEUE`] and has [`SECRET`] in it.
#[derive(Debug)]
pub(super) struct Resources {
    /// Job that waits for its time.
    job: i64,
    /// Job that was cancelled.
    final_job: i64,
    batch: i64,
    open_batch: i64,
    /// Batch that was cancelled.
    final_batch: i64,
    /// Deliveries of the webhooks of the final job and of the final batch.
    deliveries: [i64; 2],
    /// Job that is leased, as its worker got it.
    leased: Value,
    key: i64,
    /// Number that is in no other set of resources.
    number: usize,
    /// Secret of a key with which somebody can sign in.
    secret: String,
}

impl Resources {
    /// Creates resources with the key of an administrator. `worker` takes the lease.
    pub(super) fn create(server: &Server, ops: &Caller, worker: &Caller, number: usize) -> Self {
        let post = |caller: &Caller, path: &str, body: &Value| -> Value {
            let target = Target::json(Method::Post, path.into(), Some(body));
            let answer = caller.send(server, &target);
            assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
            answer.json()
        };
        let id = |value: &Value| value["id"].as_i64().unwrap();
        let scheduled = with(job(), &json!({"delay": "1h"}));
        // What waits in a paused queue can be cancelled, and then be sent again.
        let pause = Some(json!({"paused": true}));
        ops.send(
            server,
            &Target::json(Method::Patch, "/v1/queues/callbacks".into(), pause.as_ref()),
        );
        let callback = json!({"callback": {"url": format!("https://{SECRET}.example/hook")}});
        let end = |path: &str, submission: &Value| {
            let ended = id(&post(ops, path, &with(submission.clone(), &callback)));
            post(ops, &format!("{path}/{ended}/cancel"), &json!({}));
            let list = Target::json(Method::Get, format!("{path}/{ended}/deliveries"), None);
            let delivery = id(&ops.send(server, &list).json()["deliveries"][0]);
            post(ops, &format!("/v1/jobs/{delivery}/cancel"), &json!({}));
            (ended, delivery)
        };
        let (final_job, delivery) = end("/v1/jobs", &scheduled);
        let batch = json!({"name": SECRET, "jobs": [scheduled, scheduled]});
        let (final_batch, batch_delivery) = end("/v1/batches", &batch);
        // One job to lease, and one that stays for others.
        let kind = format!("leased-{number}");
        post(ops, "/v1/jobs", &with(job(), &json!({"kind": kind})));
        post(ops, "/v1/jobs", &job());
        let wanted = json!({"queues": [QUEUE], "kinds": [kind], "lease": "10m", "wait": "0s"});
        let name = format!("of the matrix {number}");
        let key = post(ops, "/v1/keys", &json!({"name": name, "scopes": ["read"]}));
        // There may be fewer webhook secrets than sets of resources.
        let before = format!("/v1/webhook-secrets/{}", webhook_secret(number.wrapping_sub(1)));
        ops.send(server, &Target::json(Method::Delete, before, None));
        post(ops, "/v1/webhook-secrets", &json!({"name": webhook_secret(number)}));
        Self {
            job: id(&post(ops, "/v1/jobs", &scheduled)),
            final_job,
            batch: id(&post(ops, "/v1/batches", &batch)),
            open_batch: id(&post(ops, "/v1/batches", &with(batch.clone(), &json!({"open": true})))),
            final_batch,
            deliveries: [delivery, batch_delivery],
            leased: post(worker, "/v1/leases", &wanted)["jobs"][0].clone(),
            key: id(&key),
            number,
            secret: key["secret"].as_str().unwrap().to_owned(),
        }
    }

    /// Replaces the parameters of a path.
    fn fill(&self, method: Method, path: &str) -> String {
        let needs_end =
            method == Method::Delete || path.ends_with("retry") || path.ends_with("delete");
        let id = match path.trim_start_matches("/v1").split('/').nth(1).unwrap_or_default() {
            "batches" if needs_end => self.final_batch,
            "batches" if path.ends_with("jobs") => self.open_batch,
            "batches" => self.batch,
            "keys" => self.key,
            "leases" => self.leased["id"].as_i64().unwrap(),
            _ if needs_end => self.final_job,
            _ => self.job,
        };
        let secret = webhook_secret(self.number);
        let name = match path.split('/').nth(2) {
            Some("providers") => "main",
            Some("webhook-secrets") => &secret,
            _ => QUEUE,
        };
        let delivery = self.deliveries[usize::from(path.contains("batches"))];
        let filled = path
            .replace("{id}", &id.to_string())
            .replace("{delivery}", &delivery.to_string())
            .replace("{name}", name)
            .replace("{action}", "complete")
            .replace("{button}", "start");
        assert!(!filled.contains('{'), "{path} has an unknown parameter");
        filled
    }

    /// Returns the body of a request to the API; `None` if it has none.
    fn body(&self, name: RouteName) -> Option<Value> {
        let token = self.leased["lease_token"].clone();
        let lease = &self.leased["id"];
        Some(match name {
            RouteName::SubmitJobs => job(),
            RouteName::SubmitBatch => json!({"name": SECRET, "jobs": [job()]}),
            RouteName::AddJobs => json!({"jobs": [job()]}),
            RouteName::LeaseJobs => json!({"queues": [QUEUE], "kinds": ["resize"], "wait": "0s"}),
            RouteName::ActOnLease => json!({"lease_token": token, "result": 1}),
            RouteName::ActOnLeases => {
                json!([{"id": lease, "lease_token": token, "action": "complete", "result": 1}])
            }
            RouteName::WatchLeases => json!({"leases": [{"id": lease, "lease_token": token}]}),
            RouteName::CancelJobs => json!({"ids": [self.job]}),
            RouteName::RetryJobs | RouteName::DeleteJobs => json!({"ids": [self.final_job]}),
            RouteName::UpdateJob => json!({"priority": 7}),
            RouteName::ChangeQueue => json!({"max_running": 1 + self.number}),
            RouteName::CreateKey => {
                json!({"name": format!("by the matrix {}", self.number), "scopes": ["admin"]})
            }
            RouteName::CreateWebhookSecret => json!({"name": format!("created-{}", self.number)}),
            RouteName::RotateWebhookSecret => json!({"overlap": "1h"}),
            RouteName::JobToken | RouteName::BatchToken => json!({"expires_in": "1h"}),
            _ => return None,
        })
    }

    /// Returns the fields of a form.
    fn form(&self, path: &str) -> String {
        let number = self.number;
        match path {
            "/jobs/selected" => format!("job_action=cancel&id={}", self.job),
            "/submit" => {
                format!("kind=resize&lane=remote&queue={QUEUE}&as=json&payload=%22{SECRET}%22")
            }
            "/queues/{name}/limits" => format!("max_running={}", 1 + number),
            "/keys" => format!("name=by+the+page+{number}&scope=admin"),
            "/login" => format!("key={}", self.secret),
            _ => String::new(),
        }
    }
}

/// Returns the name of the webhook secret in the resources with this number.
fn webhook_secret(number: usize) -> String {
    format!("of-the-matrix-{number}")
}

/// Returns a job for a remote worker.
fn job() -> Value {
    with(remote(SECRET), &json!({"queue": QUEUE, "tags": [SECRET]}))
}
