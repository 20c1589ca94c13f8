//! The mock model server, run inside the test process.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use longshore::cli::mock_llm::stats::Stats;
use longshore::cli::mock_llm::{Options, start};
use tokio::sync::oneshot;

use crate::kit::Connection;

/// A model server that runs until the value is dropped.
pub(crate) struct Model {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Model {
    /// Starts a server that takes `delay` for each answer.
    pub(crate) fn start(delay: Duration) -> Self {
        let (addr_sender, addr) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let mock = start(Options { delay, ..Options::default() }).await.unwrap();
                addr_sender.send(mock.addr()).unwrap();
                // An error means that the sender was dropped, which also stops the server.
                let _ = stopped.await;
                mock.stop().await;
            });
        });
        Self { addr: addr.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the configuration of a provider that uses this server.
    pub(crate) fn provider(&self, name: &str) -> String {
        format!("[providers.{name}]\nbase_url = 'http://{}/v1'\n", self.addr)
    }

    /// Returns the counters of the server.
    pub(crate) fn stats(&self) -> Stats {
        let mut connection = Connection::open(self.addr).unwrap();
        let answer = connection.request("GET", "/stats", &[], b"").unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop.take();
        // If the thread panicked, its message has been printed already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
