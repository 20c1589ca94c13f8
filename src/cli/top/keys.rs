//! The keyboard, and changes of the terminal's size.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc;

/// How often the thread looks whether anybody still listens.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Begins to read, on a thread that ends soon after nobody listens any more.
pub(super) fn listen(waiting: usize) -> mpsc::Receiver<io::Result<Event>> {
    let (sender, receiver) = mpsc::channel(waiting);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(LOOK_EVERY) {
                Ok(true) => event::read(),
                Ok(false) => continue,
                Err(error) => Err(error),
            };
            let is_over = read.is_err();
            if sender.blocking_send(read).is_err() || is_over {
                break;
            }
        }
    });
    receiver
}
