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
        let config = [provider, program("draw", DRAW), program("export", EXPORT)].concat();
        Self { server: Setup::new().config(config).start(), target, _model: model }
    }

    /// Fills its queues, so that some of everything is running, waiting, done and broken.
    pub(crate) fn fill(&self) {
        let server = &self.server;
        for (queue, limits) in [
            ("images", json!({"max_running": 4})),
            ("model", json!({"max_running": 6})),
            ("mail", json!({"rate": {"limit": 50, "period": "1s"}})),
            ("reports", json!({"paused": true})),
        ] {
            server.patch(&format!("/v1/queues/{queue}"), &limits).expect(200);
        }
        let mut jobs: Vec<Value> = (1..=120).map(|number| self.mail(number)).collect();
        jobs.extend((1..=24).map(question));
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
        server.post("/v1/jobs", &json!(jobs)).expect(202);
    }

    /// A batch that takes a while.
    pub(crate) fn batch(&self) -> i64 {
        let mut jobs: Vec<Value> = (1..=30).map(|number| self.mail(number)).collect();
        jobs.extend((1..=18).map(question));
        jobs.extend((1..=8).map(drawing));
        let batch = json!({"name": "Spring newsletter", "jobs": jobs});
        self.server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    }

    /// A job that failed in three different ways, and logged on its way.
    pub(crate) fn broken(&self) -> i64 {
        let job = json!({"kind": "resize", "lane": "remote", "queue": "uploads", "max_attempts": 3,
            "priority": 5, "tags": ["customer-4711", "avatar"],
            "payload": {"source": "s3://uploads/4711/avatar.heic", "sizes": [64, 256, 1024],
                "options": {"crop": "centre", "format": "webp", "quality": 82}}});
        let id = self.server.submit(&job);
        for (code, message) in [
            ("decoder", "unexpected marker 0xFFD9 in HEIC item 2"),
            ("no_memory", "cannot allocate 1.2 GB for a tile of 20000x20000"),
        ] {
            let call = json!({"worker": "gpu-2", "queues": ["uploads"], "wait": "5s"});
            let leased = self.server.post("/v1/leases", &call).expect(200)["jobs"][0].clone();
            let failure = json!({"lease_token": leased["lease_token"], "retry_in": "0s",
                "error": {"code": code, "message": message}});
            self.server.post(&format!("/v1/leases/{id}/fail"), &failure).expect(200);
        }
        id
    }

    /// A letter, which mostly goes out.
    fn mail(&self, number: i64) -> Value {
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
