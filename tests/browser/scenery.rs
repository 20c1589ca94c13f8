//! A server that looks as one in use does: queues of a shop that sends mail, asks a model, draws
//! pictures and calls others, where most goes well and some does not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::model::Model;
use crate::kit::target::Target;
use crate::kit::{Server, Setup, with};

/// A program that draws, and says how far it is.
const DRAW: &str = "for i in 1 2 3 4 5 6 7 8; do \
    echo \"::progress $((i * 100 / 8)) tile $i of 8\" >&2; echo \"rendered tile $i\" >&2; sleep 0.6; done; \
    echo '{\"width\": 1600, \"height\": 900, \"bytes\": 48213}'";

/// A program that gives up.
const EXPORT: &str =
    "echo 'connecting to warehouse' >&2; echo 'relation \"orders\" does not exist' >&2; exit 3";

/// What people ask.
const QUESTIONS: [&str; 4] = [
    "Summarise this review in one sentence",
    "Which category does this ticket belong to?",
    "Translate the product text to Danish",
    "Tell me a joke",
];

/// A server with what its jobs call.
pub(crate) struct Scenery {
    pub(crate) server: Server,
    pub(crate) target: Target,
    _model: Model,
}

impl Scenery {
    /// A server with two programs, a model to ask and a service to call.
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
        // Its programs mostly wait.
        let lanes = "[lanes]\nprocess = 6\n".to_owned();
        let config = [lanes, provider, program("draw", DRAW), program("export", EXPORT)].concat();
        Self { server: Setup::new().config(config).start(), target, _model: model }
    }

    /// Gives its queues their limits.
    pub(crate) fn limit(&self) {
        for (queue, limits) in [
            ("images", json!({"max_running": 4})),
            ("model", json!({"max_running": 3})),
            ("mail", json!({"rate": {"limit": 50, "period": "1s"}})),
            ("reports", json!({"paused": true})),
        ] {
            self.server.patch(&format!("/v1/queues/{queue}"), &limits).expect(200);
        }
    }

    /// Fills its queues, so that some of everything is running, waiting, done and broken.
    pub(crate) fn fill(&self) {
        self.limit();
        self.server.post("/v1/jobs", &json!(self.jobs())).expect(202);
    }

    /// What comes in a quarter of a minute.
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

    /// A batch that takes a while.
    pub(crate) fn batch(&self) -> i64 {
        let mut jobs: Vec<Value> = (1..=30).map(|number| self.mail(number)).collect();
        jobs.extend((1..=18).map(question));
        jobs.extend((1..=8).map(drawing));
        let batch = json!({"name": "Spring newsletter", "jobs": jobs});
        self.server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    }

    /// A job that failed twice in different ways, and runs once more.
    pub(crate) fn broken(&self) -> i64 {
        let job = json!({"kind": "resize", "lane": "remote", "queue": "uploads", "max_attempts": 3,
            "priority": 5, "tags": ["customer-4711", "avatar"],
            "payload": {"source": "s3://uploads/4711/avatar.heic", "sizes": [64, 256, 1024],
                "options": {"crop": "centre", "format": "webp", "quality": 82}}});
        let id = self.server.submit(&job);
        let lease = || {
            let call = json!({"worker": "gpu-2", "queues": ["uploads"], "wait": "5s"});
            self.server.post("/v1/leases", &call).expect(200)["jobs"][0]["lease_token"].clone()
        };
        let tell = |verb: &str, told: &Value| {
            self.server.post(&format!("/v1/leases/{id}/{verb}"), told).expect(200);
        };
        for (code, message) in [
            ("decoder", "unexpected marker 0xFFD9 in HEIC item 2"),
            ("no_memory", "cannot allocate 1.2 GB for a tile of 20000x20000"),
        ] {
            let error = json!({"code": code, "message": message});
            tell("fail", &json!({"lease_token": lease(), "retry_in": "0s", "error": error}));
        }
        let progress = json!({"percent": 62, "message": "tile 5 of 8"});
        let log = "decoded 4032x3024, 10 bit\ncropped to 3024x3024\nencoding webp, quality 82";
        tell("renew", &json!({"lease_token": lease(), "progress": progress, "log": log}));
        id
    }

    /// A letter, which mostly goes out.
    pub(crate) fn mail(&self, number: i64) -> Value {
        let place = match number % 40 {
            17 => "/gone",
            29 => "/busy",
            _ => "/send",
        };
        let body = json!({"to": format!("customer-{number}@shop.example"), "template": "receipt"});
        let payload = json!({"url": self.target.url(place), "method": "POST", "body": body});
        json!({"kind": "http", "queue": "mail", "payload": payload, "tags": ["receipt"]})
    }
}

/// A question to the model.
fn question(number: i64) -> Value {
    let text = QUESTIONS[usize::try_from(number).unwrap() % QUESTIONS.len()];
    let messages = json!([{"role": "user", "content": text}]);
    let payload = json!({"model": "mock", "messages": messages});
    json!({"kind": "chat", "queue": "model", "payload": payload, "tags": ["review"]})
}

/// A picture to draw.
fn drawing(number: i64) -> Value {
    let job = command("draw", &[&format!("product-{number}.png")]);
    with(job, &json!({"queue": "images", "tags": ["thumbnail"]}))
}

fn command(name: &str, args: &[&str]) -> Value {
    json!({"kind": "command", "payload": {"name": name, "args": args}})
}
