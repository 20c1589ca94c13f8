//! A parser for server-sent events (HTML standard, section 9.2). Its input may be split anywhere.

use std::collections::VecDeque;

/// One server-sent event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Name of the event; `message` if the server sent none.
    pub name: String,
    /// Data of the event, its lines joined by line feeds.
    pub data: String,
}

/// Assembles events from the bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// Start of a line whose end has not been received.
    line: Vec<u8>,
    /// Whether the last byte was a CR. An LF that follows belongs to the same line end.
    after_cr: bool,
    /// Event whose terminating blank line has not been received.
    partial: PartialEvent,
    /// Id of the last complete event that had one.
    last_id: Option<String>,
    /// Complete events that were not taken yet.
    complete: VecDeque<Event>,
}

/// The fields of an event before its end.
#[derive(Debug, Default)]
struct PartialEvent {
    name: String,
    data: Vec<String>,
    id: Option<String>,
}

impl Parser {
    /// Parses the next bytes of the connection.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => self.end_line(),
                byte => self.line.push(*byte),
            }
            self.after_cr = *byte == b'\r';
        }
    }

    /// Takes the next complete event.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.complete.pop_front()
    }

    /// Returns the id of the last complete event, from which a new connection resumes.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Prepares for a new connection: drops the incomplete event, which the server sends again.
    pub(super) fn reset(&mut self) {
        self.line.clear();
        self.after_cr = false;
        self.partial = PartialEvent::default();
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.partial.name = value.to_owned(),
            "data" => self.partial.data.push(value.to_owned()),
            "id" if !value.contains('\0') => self.partial.id = Some(value.to_owned()),
            // The standard requires that unknown fields are ignored. A comment has an empty name.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let PartialEvent { name, data, id } = std::mem::take(&mut self.partial);
        if let Some(id) = id {
            self.last_id = Some(id).filter(|id| !id.is_empty());
        }
        if !data.is_empty() {
            let name = if name.is_empty() { "message".into() } else { name };
            self.complete.push_back(Event { name, data: data.join("\n") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(parser: &mut Parser) -> Vec<(String, String)> {
        std::iter::from_fn(|| parser.next()).map(|event| (event.name, event.data)).collect()
    }

    const STREAM: &str = ": hello\n\nid: 7\nevent: state\ndata: {\"id\": 1}\n\n\
                          id: 8\nevent: log\ndata: á\ndata:b\n\n: still here\n\ndata: last\n\n";

    #[test]
    fn events_are_the_same_wherever_the_input_is_split() {
        for ends in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', ends);
            for size in 1..=stream.len() {
                let mut parser = Parser::default();
                stream.as_bytes().chunks(size).for_each(|bytes| parser.feed(bytes));
                let expected = [("state", "{\"id\": 1}"), ("log", "á\nb"), ("message", "last")];
                let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
                assert_eq!(events(&mut parser), expected, "{ends:?}, chunks of {size}");
                assert_eq!(parser.last_id(), Some("8"));
            }
        }
    }

    #[test]
    fn an_incomplete_event_is_not_returned_and_does_not_change_the_last_id() {
        let mut parser = Parser::default();
        parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
        assert_eq!(events(&mut parser).len(), 1);
        assert_eq!(parser.last_id(), Some("1"));
        parser.reset();
        parser.feed(b"data: c\n\n");
        assert_eq!(events(&mut parser), [("message".to_owned(), "c".to_owned())]);
        assert_eq!(parser.last_id(), Some("1"));
    }

    #[test]
    fn an_event_with_only_an_id_changes_the_last_id() {
        let mut parser = Parser::default();
        parser.feed(b"id: 5\n\n");
        assert_eq!((events(&mut parser).len(), parser.last_id()), (0, Some("5")));
    }
}
