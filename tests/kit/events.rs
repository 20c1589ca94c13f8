//! Server-sent events as they come over a connection.

use std::collections::VecDeque;

use serde_json::Value;

use super::http::{Connection, Response};
use super::process::Server;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// A stream of events.
pub(crate) struct Events {
    pub(crate) head: Response,
    connection: Connection,
    text: String,
    ready: VecDeque<Event>,
    /// How many comments have come.
    pub(crate) comments: usize,
}

impl Server {
    /// Listens at a path.
    pub(crate) fn events(&self, path: &str) -> Events {
        Events::open(self.connect(), path, &[])
    }

    /// Listens at a path, having heard all up to this event.
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

    /// The next event; none at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            self.hear()?;
        }
        self.ready.pop_front()
    }

    /// Reads what comes next; none at the end of the stream.
    fn hear(&mut self) -> Option<()> {
        let chunk = self.connection.chunk().unwrap()?;
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((whole, rest)) = self.text.split_once("\n\n") {
            let whole = whole.to_owned();
            self.text = rest.to_owned();
            self.read(&whole);
        }
        Some(())
    }

    /// Waits for a comment.
    pub(crate) fn until_comment(&mut self) {
        let before = self.comments;
        while self.comments == before {
            self.hear().unwrap_or_else(|| panic!("the stream has ended"));
        }
    }

    /// The next event, of which there is one.
    pub(crate) fn more(&mut self) -> Event {
        self.next().unwrap_or_else(|| panic!("the stream has ended"))
    }

    /// The next event that is so; the ones before it are passed over.
    pub(crate) fn until(&mut self, mut is_it: impl FnMut(&Event) -> bool) -> Event {
        loop {
            let event = self.more();
            if is_it(&event) {
                return event;
            }
        }
    }

    /// All that is left, to the end.
    pub(crate) fn rest(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn read(&mut self, text: &str) {
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
