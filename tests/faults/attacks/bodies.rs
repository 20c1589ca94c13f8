//! Submissions whose bodies do not come, or come in part.

use super::attack::Attack;
use super::held::{Held, hold};
use crate::kit::hostile::chunked_head;

/// Number of connections of each kind.
const EACH: usize = 8;

/// Keeps connections with unfinished submissions until the attacks are over.
pub(super) fn keep(attack: &Attack) {
    let json = "content-type: application/json\r\n";
    let chunked = chunked_head(attack.addr, "POST /v1/jobs", json);
    let announced = chunked.replace("transfer-encoding: chunked", "content-length: 33000000");
    let part = format!("{chunked}{:x}\r\n{}", 1_000_000, " ".repeat(900_000));
    let starts = [chunked, announced, part];
    let all = (0..EACH).flat_map(|_| starts.clone().map(|start| Held { start, drip: "" }));
    hold(attack, &all.collect::<Vec<_>>(), "bodies cut off");
}
