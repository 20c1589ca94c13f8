//! HTTP/1.1 on plain sockets: messages, a client, and a server whose responses a test scripts.

mod connection;
mod message;
mod private_urls;
mod target;

pub(crate) use connection::Connection;
pub(crate) use message::{Request, Response, json_response, request, response};
pub(crate) use private_urls::private_urls;
pub(crate) use target::{Gate, OpenReply, Target, gate};
