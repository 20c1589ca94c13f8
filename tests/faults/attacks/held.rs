//! Connections that an attacker holds open, and opens again when the server closes them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::attack::Attack;

/// Bytes that an attacker sends on a connection.
pub(super) struct Held {
    /// Sent at once.
    pub(super) start: String,
    /// Sent again and again, a little at a time; empty if nothing follows.
    pub(super) drip: &'static str,
}

/// Holds a connection for each entry until the attacks are over. Each connection that the server closes is
/// counted as `closed`, and opened again.
pub(super) fn hold(attack: &Attack, all: &[Held], closed: &'static str) {
    let mut streams: Vec<Option<TcpStream>> = all.iter().map(|_| None).collect();
    while !attack.is_over() {
        for (held, stream) in all.iter().zip(&mut streams) {
            if attack.is_over() {
                return;
            }
            match stream {
                None => *stream = open(attack, &held.start),
                Some(open) if is_closed(open, held.drip) => {
                    attack.count(closed);
                    *stream = None;
                }
                Some(_) => {}
            }
        }
        attack.pause(Duration::from_millis(500));
    }
}

/// Opens a connection and sends the start of what it sends.
fn open(attack: &Attack, start: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&attack.addr, Duration::from_secs(10)).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    // The server may refuse the connection before it has read everything.
    let _ = stream.write_all(start.as_bytes());
    stream.set_nonblocking(true).unwrap();
    Some(stream)
}

/// Sends the next bytes, and returns whether the server has closed the connection.
fn is_closed(mut stream: &TcpStream, drip: &str) -> bool {
    let would_block = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    if !drip.is_empty() && stream.write(drip.as_bytes()).is_err_and(|error| !would_block(&error)) {
        return true;
    }
    let mut answer = [0; 16 << 10];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !would_block(&error),
        }
    }
}
