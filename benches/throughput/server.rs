//! The server under test, in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, rt};
use longshore::auth::api_key::NewKey;
use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::queue::QueueChange;
use longshore::server::{Handle, Server};
use tempfile::TempDir;

/// Start times of the jobs of kind `stamp`, each with the number that is the payload of the job.
pub type Stamps = Arc<std::sync::Mutex<Vec<(u64, Instant)>>>;

/// A running server with its HTTP front end.
pub struct Running {
    pub server: Server,
    pub addr: SocketAddr,
    pub stamps: Stamps,
    directory: TempDir,
}

impl Running {
    pub fn handle(&self) -> Handle {
        self.server.handle()
    }

    /// Returns the path of its database.
    pub fn database(&self) -> PathBuf {
        database_in(&self.directory)
    }

    /// Creates an API key and returns its secret. Every request needs one from then on.
    pub async fn create_key(&self) -> String {
        let key = NewKey::admin("bench".parse().expect("a valid name"));
        let created = self.handle().create_key(key).await.expect("the key is created");
        created.secret.reveal().to_owned()
    }

    /// Pauses or resumes a queue.
    pub async fn set_paused(&self, queue: &str, paused: bool) {
        let change = QueueChange { paused: Some(paused), ..QueueChange::default() };
        let queue = queue.parse().expect("a valid name");
        self.handle().configure(queue, change).await.expect("the queue is configured");
    }
}

/// Creates a directory for databases, on the disk that is measured.
pub fn directory() -> TempDir {
    tempfile::tempdir_in(std::env::temp_dir()).expect("a directory")
}

/// Returns the path of the database in `directory`.
pub fn database_in(directory: &TempDir) -> PathBuf {
    directory.path().join("bench.db")
}

/// Starts a server on a new database.
pub fn start(config: Config) -> Running {
    start_in(directory(), config)
}

/// Starts a server on the database in `directory`.
pub fn start_in(directory: TempDir, config: Config) -> Running {
    let config = Config { database: database_in(&directory).into(), ..config };
    let stamps = Stamps::default();
    let recorded = Arc::clone(&stamps);
    let server = Server::builder(config)
        .handler("stamp", move |_: Context, number: u64| {
            recorded.lock().expect("no panic").push((number, Instant::now()));
            async { Ok::<_, HandlerError>(()) }
        })
        .blocking_handler("spin", |context: Context, (): ()| {
            let mut sum = 0_u64;
            while !context.is_stopped() {
                sum = (0..10_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
            }
            Ok::<_, HandlerError>(sum)
        })
        .start()
        .expect("the server starts");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = longshore::http::bind(listen).expect("the port is free");
    let (front, addr) = longshore::http::start(server.handle(), listener, more_routes)
        .expect("the HTTP server starts");
    rt::spawn(front);
    Running { server, addr, stamps, directory }
}

/// Adds the pages, and the route `/parse`, which parses a job and stores nothing. The benchmarks of
/// submissions use it as their reference.
fn more_routes(config: &mut ServiceConfig) {
    config.route("/parse", web::post().to(parse));
    longshore::pages::routes(config);
}

/// Parses the body as a submission and answers `{}`.
async fn parse(body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<longshore::job::Submission>(&body) {
        Ok(_) => HttpResponse::Accepted().json(serde_json::json!({})),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}

/// Runs `work` inside an actix system.
pub fn in_system<T>(work: impl Future<Output = T>) -> T {
    rt::System::new().block_on(work)
}

/// Runs a blocking function on a separate thread.
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    rt::task::spawn_blocking(work).await.expect("the function does not panic")
}

/// Returns the path of the configured database.
pub fn file_of(config: &Config) -> std::path::PathBuf {
    config.database.clone().into()
}
