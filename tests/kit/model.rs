//! The mock model server, in this process.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use longshore::cli::mock_llm::stats::Stats;
use longshore::cli::mock_llm::{Options, start};
use tokio::sync::oneshot;

use crate::kit::Connection;

/// A model server that runs until it is dropped.
pub(crate) struct Model {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Model {
    /// Starts one that takes `delay` for each answer.
    pub(crate) fn start(delay: Duration) -> Self {
        let (tell_addr, addr) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let mock = start(Options { delay, ..Options::default() }).await.unwrap();
                tell_addr.send(mock.addr()).unwrap();
                // An error says that it was dropped, which is as good.
                let _ = stopped.await;
                mock.stop().await;
            });
        });
        Self { addr: addr.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// The configuration of a provider that is this server.
    pub(crate) fn provider(&self, name: &str) -> String {
        format!("[providers.{name}]\nbase_url = 'http://{}/v1'\n", self.addr)
    }

    /// What it has counted.
    pub(crate) fn stats(&self) -> Stats {
        let mut connection = Connection::open(self.addr).unwrap();
        let answer = connection.request("GET", "/stats", &[], b"").unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop.take();
        // Its panic, if any, has been printed.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
