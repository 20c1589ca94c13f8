//! What comes from the server and what goes to it, beside the drawing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::look::{List, Look};
use super::view::Wish;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::job::queue::QueueChange;

/// How often the server is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it may take before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that the view has to hear.
pub(super) enum News {
    /// How the server looks, or why that cannot be told.
    Look(Result<Box<Look>, String>),
    /// What became of a wish.
    Done(Result<String, String>),
}

/// Asks the server again and again, and hands wishes on to it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Feed {
    client: Rc<Client>,
    news: mpsc::Sender<News>,
    /// Which jobs are wanted.
    list: Rc<Cell<List>>,
    /// Rung where it is worth to look at once.
    hurry: Rc<Notify>,
}

impl Feed {
    /// Begins to ask, until nobody hears the news any more.
    pub(super) fn start(client: Client, news: mpsc::Sender<News>) -> Self {
        let feed =
            Self { client: Rc::new(client), news, list: Rc::default(), hurry: Rc::default() };
        actix_web::rt::spawn(feed.clone().look_again_and_again());
        feed
    }

    /// Says which jobs are wanted from now on.
    pub(super) fn show(&self, list: List) {
        if self.list.replace(list) != list {
            self.hurry.notify_one();
        }
    }

    /// Has the server do something.
    pub(super) fn act(&self, wish: Wish) {
        let feed = self.clone();
        actix_web::rt::spawn(async move {
            let done = News::Done(in_time(feed.do_it(wish)).await);
            // Where nobody hears it any more, nobody wants to know.
            let _ = feed.news.send(done).await;
            feed.hurry.notify_one();
        });
    }

    async fn look_again_and_again(self) {
        loop {
            let look = in_time(Look::take(&self.client, self.list.get())).await.map(Box::new);
            if self.news.send(News::Look(look)).await.is_err() {
                break;
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.hurry.notified()).await;
        }
    }

    /// Does it and tells what is then.
    async fn do_it(&self, wish: Wish) -> Result<String, CliError> {
        Ok(match wish {
            Wish::Quit => String::new(),
            Wish::SetPaused(queue, is_paused) => {
                let change = QueueChange { paused: Some(is_paused), ..QueueChange::default() };
                self.client.change_queue(&queue, &change).await?;
                format!("queue {queue} is {}", if is_paused { "paused" } else { "resumed" })
            }
            Wish::Cancel(id) => {
                let job = self.client.cancel(id).await?.value;
                let is = if job.state.is_final() { job.state.as_str() } else { "asked to stop" };
                format!("job {id} is {is}")
            }
            Wish::Retry(id) => {
                let job = self.client.retry(id).await?.value;
                format!("job {id} is {} once more", job.state)
            }
        })
    }
}

/// Waits for the server, though not long.
async fn in_time<T>(asked: impl Future<Output = Result<T, CliError>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
