//! Events of the terminal: keys and changes of its size.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;

/// Interval at which the thread checks whether the receiver was dropped.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Starts to read events on a new thread, which ends soon after the receiver was dropped.
pub(super) fn listen(queue_len: usize) -> mpsc::Receiver<io::Result<Event>> {
    let (sender, receiver) = mpsc::channel(queue_len);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(CHECK_INTERVAL) {
                Ok(true) => event::read(),
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            let has_failed = read.is_err();
            if sender.blocking_send(read).is_err() || has_failed {
                break;
            }
        }
    });
    receiver
}
