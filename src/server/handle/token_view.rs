//! What the holder of a read token sees: the only place that removes what others may see.
//!
//! A token is for the browser of an end user. It shows how a job ends: state, progress, result, error, log, and when each
//! attempt ran. It does not show what the job was given, nor what helps to find a fault: names of workers, stack
//! traces, answers of called servers, and the output of programs.

use super::Handle;
use crate::job::Job;
use crate::job::batch::Batch;
use crate::job::batch::result::BatchResult;
use crate::job::outcome::attempt::{Attempt, AttemptDetail};
use crate::job::submission::on_end::delivery_status::DeliveryStatus;

/// A value of which the holder of a read token sees a part.
pub(in crate::server) trait TokenView {
    /// Removes what the holder of a token does not see.
    fn hide(&mut self);
}

impl Handle {
    /// Returns a value as the principal may see it.
    pub(in crate::server) fn shown<T: TokenView>(&self, mut value: T) -> T {
        if self.acts_for_token() {
            value.hide();
        }
        value
    }
}

impl TokenView for Job {
    fn hide(&mut self) {
        (self.payload, self.callback, self.then) = (None, None, None);
        (self.worker, self.metadata) = (None, None);
        self.attempts.iter_mut().flatten().for_each(TokenView::hide);
    }
}

impl TokenView for Attempt {
    fn hide(&mut self) {
        self.worker = None;
        self.detail = AttemptDetail::default();
    }
}

impl TokenView for Batch {
    fn hide(&mut self) {
        (self.callback, self.then) = (None, None);
    }
}

impl TokenView for BatchResult {
    fn hide(&mut self) {
        self.metadata = None;
    }
}

impl TokenView for DeliveryStatus {
    /// The error may contain the URL and the answer of the receiver.
    fn hide(&mut self) {
        (self.url, self.error) = (None, None);
    }
}
