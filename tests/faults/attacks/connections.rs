//! Connections whose requests never end.

use super::attack::Attack;
use super::held::{Held, hold};
use crate::kit::hostile::chunked_head;

/// Number of connections of each kind.
const EACH: usize = 100;

/// Keeps connections with unfinished requests until the attacks are over.
pub(super) fn keep(attack: &Attack) {
    let host = attack.addr;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n");
    let unsent = || Held { start: chunked_head(host, "GET /healthz", ""), drip: "" };
    let dripped = || Held { start: chunked_head(host, "GET /nowhere", ""), drip: "1\r\nx\r\n" };
    let silent = || Held { start: String::new(), drip: "" };
    let slow = || Held { start: format!("{head}x: "), drip: "x" };
    let second = || Held { start: format!("{head}\r\n{head}x: "), drip: "x" };
    let kinds: [&dyn Fn() -> Held; 5] = [&unsent, &dripped, &silent, &slow, &second];
    let all: Vec<Held> = (0..EACH).flat_map(|_| kinds.map(|kind| kind())).collect();
    hold(attack, &all, "connections cut off");
}
