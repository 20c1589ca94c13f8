//! The end of a key or token while a request is under way: its wait or stream ends as well.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::http::request::auth::credential::Credential;

/// Time that a request has to end by itself after its key has ended, so that a change which is being written is
/// still answered with its effect.
const GRACE: Duration = Duration::from_millis(250);

/// Waits for the end of a key or token, from the first time that it is asked for it. Before that it costs nothing.
pub(in crate::http) struct KeyEnd {
    credential: Credential,
    ended: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl KeyEnd {
    pub(in crate::http) fn new(credential: Credential) -> Self {
        Self { credential, ended: None }
    }

    /// Returns whether the key has ended, also for a stream that always has more to send.
    pub(in crate::http) fn has_come(&self) -> bool {
        self.credential.has_ended()
    }

    /// Polls for the end of the key and the grace period after it.
    pub(in crate::http) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let credential = &self.credential;
        let ended = self.ended.get_or_insert_with(|| {
            let credential = credential.clone();
            Box::pin(async move {
                credential.ended().await;
                tokio::time::sleep(GRACE).await;
            })
        });
        ended.as_mut().poll(context)
    }
}

/// Runs a future to its end, or until shortly after the end of a key, and returns `None` then.
pub(in crate::http::request) async fn unless_ended<F: Future>(
    credential: &Credential,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut end = KeyEnd::new(credential.clone());
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        // Only a request that waits looks at its key again.
        Poll::Pending => end.poll(context).map(|()| None),
    })
    .await
}
