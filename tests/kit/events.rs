//! A client for server-sent events.

use std::collections::VecDeque;

use serde_json::Value;

use super::http::{Connection, Response};
use super::process::Server;

/// Server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// Stream of server-sent events.
pub(crate) struct Events {
    pub(crate) head: Response,
    connection: Connection,
    text: String,
    ready: VecDeque<Event>,
    /// Number of comments received so far.
    pub(crate) comments: usize,
}

impl Server {
    /// Opens the event stream at a path.
    pub(crate) fn events(&self, path: &str) -> Events {
        Events::open(self.connect(), path, &[])
    }

    /// Opens the event stream at a path with a `Last-Event-ID`.
    pub(crate) fn events_after(&self, path: &str, last: &str) -> Events {
        Events::open(self.connect(), path, &[("last-event-id", last)])
    }
}

impl Events {
    pub(crate) fn open(mut connection: Connection, path: &str, headers: &[(&str, &str)]) -> Self {
        let head = connection.request("GET", path, headers, &[]).unwrap();
        assert!(matches!(head.status, 200 | 204), "{}", String::from_utf8_lossy(&head.body));
        Self { head, connection, text: String::new(), ready: VecDeque::new(), comments: 0 }
    }

    /// Returns the next event, or `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            self.read_chunk()?;
        }
        self.ready.pop_front()
    }

    /// Reads the next chunk, or returns `None` at the end of the stream.
    fn read_chunk(&mut self) -> Option<()> {
        let chunk = self.connection.chunk().unwrap()?;
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((whole, rest)) = self.text.split_once("\n\n") {
            let whole = whole.to_owned();
            self.text = rest.to_owned();
            self.parse(&whole);
        }
        Some(())
    }

    /// Waits for a comment.
    pub(crate) fn until_comment(&mut self) {
        let before = self.comments;
        while self.comments == before {
            self.read_chunk().unwrap_or_else(|| panic!("the stream has ended"));
        }
    }

    /// Returns the next event. Panics at the end of the stream.
    pub(crate) fn expect_next(&mut self) -> Event {
        self.next().unwrap_or_else(|| panic!("the stream has ended"))
    }

    /// Returns the next event that matches, and skips the events before it.
    pub(crate) fn until(&mut self, mut matches: impl FnMut(&Event) -> bool) -> Event {
        loop {
            let event = self.expect_next();
            if matches(&event) {
                return event;
            }
        }
    }

    /// Returns all remaining events up to the end of the stream.
    pub(crate) fn read_to_end(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Parses one event or comment.
    fn parse(&mut self, text: &str) {
        let mut event = Event { id: String::new(), event: String::new(), data: Value::Null };
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("event", name)) => event.event = name.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                Some(("retry", _)) => {}
                None if line == ":" => self.comments += 1,
                _ => panic!("not a line of an event: {line:?}"),
            }
        }
        if !event.event.is_empty() {
            self.ready.push_back(event);
        }
    }
}
