//! Server-sent events (HTML standard, section 9.2), read from pieces that may be cut anywhere.

use std::collections::VecDeque;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// What it is called; `message` where the server gave no name.
    pub name: String,
    /// What it says, its lines joined.
    pub data: String,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The begin of a line whose end has not come.
    line: Vec<u8>,
    /// Whether the last byte was a CR, so that an LF now is part of the same line end.
    after_cr: bool,
    /// The event whose blank line has not come.
    half: Half,
    last_id: Option<String>,
    whole: VecDeque<Event>,
}

/// What is known of an event before its end.
#[derive(Debug, Default)]
struct Half {
    name: String,
    data: Vec<String>,
    id: Option<String>,
}

impl Parser {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => self.end_line(),
                byte => self.line.push(*byte),
            }
            self.after_cr = *byte == b'\r';
        }
    }

    /// The next event that is whole.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.whole.pop_front()
    }

    /// The id of the last event that was whole: where to go on on another connection.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Another connection begins; what was not whole comes again there.
    pub(super) fn begin_again(&mut self) {
        self.line.clear();
        self.after_cr = false;
        self.half = Half::default();
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
            "event" => self.half.name = value.to_owned(),
            "data" => self.half.data.push(value.to_owned()),
            "id" if !value.contains('\0') => self.half.id = Some(value.to_owned()),
            // A comment begins with the colon. What else there may be is for others.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let Half { name, data, id } = std::mem::take(&mut self.half);
        if let Some(id) = id {
            self.last_id = Some(id).filter(|id| !id.is_empty());
        }
        if !data.is_empty() {
            let name = if name.is_empty() { "message".into() } else { name };
            self.whole.push_back(Event { name, data: data.join("\n") });
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
    fn events_are_the_same_wherever_the_pieces_are_cut() {
        for ends in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', ends);
            for size in 1..=stream.len() {
                let mut parser = Parser::default();
                stream.as_bytes().chunks(size).for_each(|piece| parser.feed(piece));
                let expected = [("state", "{\"id\": 1}"), ("log", "á\nb"), ("message", "last")];
                let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
                assert_eq!(events(&mut parser), expected, "{ends:?}, pieces of {size}");
                assert_eq!(parser.last_id(), Some("8"));
            }
        }
    }

    #[test]
    fn half_an_event_is_none_and_does_not_move_the_place_to_go_on_from() {
        let mut parser = Parser::default();
        parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
        assert_eq!(events(&mut parser).len(), 1);
        assert_eq!(parser.last_id(), Some("1"));
        parser.begin_again();
        parser.feed(b"data: c\n\n");
        assert_eq!(events(&mut parser), [("message".to_owned(), "c".to_owned())]);
        assert_eq!(parser.last_id(), Some("1"));
    }

    #[test]
    fn an_id_alone_moves_the_place_to_go_on_from() {
        let mut parser = Parser::default();
        parser.feed(b"id: 5\n\n");
        assert_eq!((events(&mut parser).len(), parser.last_id()), (0, Some("5")));
    }
}
