//! Watches over a running attempt: relays its reports, and stops it on request.

use std::convert::Infallible;
use std::time::Duration;

use crate::actor::message::{Commit, Reply, Stop};
use crate::actor::worker::attempt_end::AttemptEnd;
use crate::actor::writer::inbox::WriterHandle;
use crate::executor::Control;
use crate::job::lease::Lease;
use crate::store::{Holder, LogLines, Write};

/// Minimum time between two writes of progress and log lines.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// The running attempt as its worker sees it. A clone watches the same attempt.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) lease: Lease,
    pub(super) control: Control,
    pub(super) writer: WriterHandle,
}

impl Watch {
    /// Waits until the attempt ends, and writes its progress and log lines meanwhile.
    pub(super) async fn until_ended(self, attempt: impl Future<Output = AttemptEnd>) -> AttemptEnd {
        tokio::select! {
            biased;
            end = attempt => end,
            never = self.relay_reports() => match never {},
        }
    }

    /// Stops the attempt if the request is for it; another attempt's request arrived too late.
    pub(super) fn stop(&self, stop: &Stop) {
        if self.lease == stop.lease {
            self.control.stop(stop.reason);
        }
    }

    /// Writes progress and log lines of the attempt as they are reported, at most once per
    /// [`REPORT_INTERVAL`]. Never returns.
    async fn relay_reports(&self) -> Infallible {
        loop {
            self.control.wait_for_reports().await;
            self.write_reports();
            tokio::time::sleep(REPORT_INTERVAL).await;
        }
    }

    /// Writes the progress and log lines that the attempt has reported since the last call.
    pub(super) fn write_reports(&self) {
        let (lease, holder) = (self.lease, Holder::Local);
        let (progress, log) = self.control.take_reports();
        let progress = progress.map(|progress| Write::Report(lease, progress));
        let has_log = !log.is_empty();
        let log = has_log.then_some(Write::Log(LogLines { lease, holder, log }));
        for write in progress.into_iter().chain(log) {
            // If the Writer is gone, the server is ending anyway.
            self.writer.commit(Commit { write, reply: Reply::Discard });
        }
    }
}
