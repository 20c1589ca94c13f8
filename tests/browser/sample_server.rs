//! A server with realistic sample data: queues of a shop that sends mail, asks a language model, draws
//! pictures and calls services. Most of its jobs succeed and some fail.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::http::Target;
use crate::kit::model::Model;
use crate::kit::{Server, Setup, with};

/// A program that draws a picture and reports its progress.
const DRAW: &str = "for i in 1 2 3 4 5 6 7 8; do \
    echo \"::progress $((i * 100 / 8)) tile $i of 8\" >&2; echo \"rendered tile $i\" >&2; sleep 0.6; done; \
    echo '{\"width\": 1600, \"height\": 900, \"bytes\": 48213}'";

/// A program that fails.
const EXPORT: &str =
    "echo 'connecting to warehouse' >&2; echo 'relation \"orders\" does not exist' >&2; exit 3";

/// Questions to the model.
const QUESTIONS: [&str; 4] = [
    "Summarise this review in one sentence",
    "Which category does this ticket belong to?",
    "Translate the product text to Danish",
    "Tell me a joke",
];

/// A server, together with the service and the model that its jobs call.
pub(crate) struct SampleServer {
    pub(crate) server: Server,
    pub(crate) target: Target,
    _model: Model,
}

impl SampleServer {
    /// Starts the server with two commands, a model and a service.
    pub(crate) fn start() -> Self {
        let model = Model::start(Duration::from_millis(900));
        let target = Target::start(|caller, request| match request.path.as_str() {
            "/gone" => caller.answer("404 Not Found", "", "no such mailbox"),
            "/busy" => caller.answer("503 Service Unavailable", "retry-after: 600\r\n", "later"),
            _ => caller.answer("200 OK", "content-type: application/json\r\n", "{\"sent\": true}"),
        });
        let program = |name: &str, script: &str| {
            format!(
                "[commands.{name}]\nargv = ['/bin/sh', '-c', {}, '{name}']\n\
                 env = {{ PATH = '/usr/bin:/bin' }}\n",
                json!(script)
            )
        };
        let provider = model.provider("local") + "max_running = 6\n";
        // The programs mostly wait, so more of them than cores may run.
        let lanes = "[lanes]\nprocess = 6\n".to_owned();
        let config = [lanes, provider, program("draw", DRAW), program("export", EXPORT)].concat();
        Self { server: Setup::new().config(config).start(), target, _model: model }
    }

    /// Sets the limits of the queues.
    pub(crate) fn set_limits(&self) {
        for (queue, limits) in [
            ("images", json!({"max_running": 4})),
            ("model", json!({"max_running": 3})),
            ("mail", json!({"rate": {"limit": 50, "period": "1s"}})),
            ("reports", json!({"paused": true})),
        ] {
            self.server.patch(&format!("/v1/queues/{queue}"), &limits).expect(200);
        }
    }

    /// Submits jobs to all queues, so that some are running, waiting, completed and failed.
    pub(crate) fn fill(&self) {
        self.set_limits();
        self.server.post("/v1/jobs", &json!(self.jobs())).expect(202);
    }

    /// Returns the jobs of about 15 seconds.
    pub(crate) fn jobs(&self) -> Vec<Value> {
        let mut jobs: Vec<Value> = (1..=70).map(|number| self.mail(number)).collect();
        jobs.extend((1..=70).map(question));
        jobs.extend((1..=14).map(drawing));
        jobs.extend((1..=9).map(|day| {
            let report = json!({"queue": "reports", "tags": ["nightly"], "priority": 10 - day});
            with(command("export", &[&format!("--day={day}")]), &report)
        }));
        jobs.extend((1..=6).map(|hour| {
            let digest = json!({"kind": "echo", "payload": {"digest": hour}, "queue": "mail"});
            with(digest, &json!({"delay": format!("{}m", hour * 25), "tags": ["digest"]}))
        }));
        let export = json!({"queue": "exports", "max_attempts": 1, "tags": ["warehouse"]});
        jobs.extend((0..3).map(|_| with(command("export", &["--all"]), &export)));
        jobs
    }

    /// Submits a batch that takes several seconds. Returns its id.
    pub(crate) fn submit_batch(&self) -> i64 {
        let mut jobs: Vec<Value> = (1..=30).map(|number| self.mail(number)).collect();
        jobs.extend((1..=18).map(question));
        jobs.extend((1..=8).map(drawing));
        let batch = json!({"name": "Spring newsletter", "jobs": jobs});
        self.server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    }

    /// Submits a job that has failed twice with different errors and runs again. Returns its id.
    pub(crate) fn submit_failing_job(&self) -> i64 {
        let job = json!({"kind": "resize", "lane": "remote", "queue": "uploads", "max_attempts": 3,
            "priority": 5, "tags": ["customer-4711", "avatar"],
            "payload": {"source": "s3://uploads/4711/avatar.heic", "sizes": [64, 256, 1024],
                "options": {"crop": "centre", "format": "webp", "quality": 82}}});
        let id = self.server.submit(&job);
        let lease = || {
            let call = json!({"worker": "gpu-2", "queues": ["uploads"], "wait": "5s"});
            self.server.post("/v1/leases", &call).expect(200)["jobs"][0]["lease_token"].clone()
        };
        let report = |action: &str, body: &Value| {
            self.server.post(&format!("/v1/leases/{id}/{action}"), body).expect(200);
        };
        for (code, message) in [
            ("decoder", "unexpected marker 0xFFD9 in HEIC item 2"),
            ("no_memory", "cannot allocate 1.2 GB for a tile of 20000x20000"),
        ] {
            let error = json!({"code": code, "message": message});
            report("fail", &json!({"lease_token": lease(), "retry_in": "0s", "error": error}));
        }
        let progress = json!({"percent": 62, "message": "tile 5 of 8"});
        let log = "decoded 4032x3024, 10 bit\ncropped to 3024x3024\nencoding webp, quality 82";
        report("renew", &json!({"lease_token": lease(), "progress": progress, "log": log}));
        id
    }

    /// Returns a job that sends a mail. One in twenty fails or is retried.
    pub(crate) fn mail(&self, number: i64) -> Value {
        let path = match number % 40 {
            17 => "/gone",
            29 => "/busy",
            _ => "/send",
        };
        let body = json!({"to": format!("customer-{number}@shop.example"), "template": "receipt"});
        let payload = json!({"url": self.target.url(path), "method": "POST", "body": body});
        json!({"kind": "http", "queue": "mail", "payload": payload, "tags": ["receipt"]})
    }
}

/// Returns a job that asks the model a question.
fn question(number: i64) -> Value {
    let text = QUESTIONS[usize::try_from(number).unwrap() % QUESTIONS.len()];
    let messages = json!([{"role": "user", "content": text}]);
    let payload = json!({"model": "mock", "messages": messages});
    json!({"kind": "chat", "queue": "model", "payload": payload, "tags": ["review"]})
}

/// Returns a job that draws a picture.
fn drawing(number: i64) -> Value {
    let job = command("draw", &[&format!("product-{number}.png")]);
    with(job, &json!({"queue": "images", "tags": ["thumbnail"]}))
}

fn command(name: &str, args: &[&str]) -> Value {
    json!({"kind": "command", "payload": {"name": name, "args": args}})
}
