//! The exchange with the server: polls its state and performs the user's actions.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::action::UserAction;
use super::snapshot::{JobList, Snapshot};
use super::update::Update;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::job::JobId;
use crate::job::queue::QueueChange;

/// Interval at which the state of the server is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum time for a response, after which the server counts as unreachable.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls the server and sends it the user's actions. A clone shares the connection and all state.
#[derive(Clone)]
pub(super) struct Feed {
    client: Rc<Client>,
    updates: mpsc::Sender<Update>,
    /// List of jobs that the view shows, and the selected job.
    shown: Rc<Cell<(JobList, Option<JobId>)>>,
    /// Notified to read the state at once instead of after the interval.
    refresh: Rc<Notify>,
}

impl Feed {
    /// Starts to poll the server, until the receiver of the updates is dropped.
    pub(super) fn start(client: Client, updates: mpsc::Sender<Update>) -> Self {
        let feed =
            Self { client: Rc::new(client), updates, shown: Rc::default(), refresh: Rc::default() };
        actix_web::rt::spawn(feed.clone().poll());
        feed
    }

    /// Sets the list of jobs to read from now on, and the job that is selected in it.
    pub(super) fn show(&self, list: JobList, selected: Option<JobId>) {
        let (old_list, old_selected) = self.shown.replace((list, selected));
        // Only what a queued job waits for depends on the selection.
        if old_list != list || list == JobList::Queued && old_selected != selected {
            self.refresh.notify_one();
        }
    }

    /// Starts to perform an action; its result arrives as an update.
    pub(super) fn act(&self, action: UserAction) {
        let feed = self.clone();
        actix_web::rt::spawn(async move {
            let done = Update::ActionDone(with_timeout(feed.perform(action)).await);
            // Sending fails only if the view has ended, and then the result is not needed.
            let _ = feed.updates.send(done).await;
            feed.refresh.notify_one();
        });
    }

    /// Reads the state of the server at intervals.
    async fn poll(self) {
        loop {
            let (list, selected) = self.shown.get();
            let snapshot = with_timeout(Snapshot::read(&self.client, list, selected)).await;
            if self.updates.send(Update::Snapshot(snapshot.map(Box::new))).await.is_err() {
                break;
            }
            let _ = tokio::time::timeout(POLL_INTERVAL, self.refresh.notified()).await;
        }
    }

    /// Performs an action and returns a text about the result.
    async fn perform(&self, action: UserAction) -> Result<String, CliError> {
        Ok(match action {
            UserAction::Quit => String::new(),
            UserAction::SetPaused(queue, is_paused) => {
                let change = QueueChange { paused: Some(is_paused), ..QueueChange::default() };
                self.client.change_queue(&queue, &change).await?;
                format!("queue {queue} is {}", if is_paused { "paused" } else { "resumed" })
            }
            UserAction::Cancel(id) => {
                let job = self.client.cancel(id).await?.value;
                let state =
                    if job.state.is_final() { job.state.as_str() } else { "being cancelled" };
                format!("job {id} is {state}")
            }
            UserAction::Retry(id) => {
                let job = self.client.retry(id).await?.value;
                format!("job {id} is {} again", job.state)
            }
        })
    }
}

/// Waits for a response of the server for at most [`REQUEST_TIMEOUT`].
async fn with_timeout<T>(request: impl Future<Output = Result<T, CliError>>) -> Result<T, String> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no response within {} s", REQUEST_TIMEOUT.as_secs())),
    }
}
