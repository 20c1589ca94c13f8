//! Names for the numbers of states and lanes in SQL text.
//!
//! SQLite uses a partial index only if a query repeats the condition of the index literally, and prepares
//! a statement again if a bound value is compared with a column of that condition. So these numbers are
//! part of the text of a statement instead of bound values.

use crate::job::{Lane, State};

/// Number that the database stores for a state or a lane, as a literal.
macro_rules! code {
    (Scheduled) => {
        0
    };
    (Queued) => {
        1
    };
    (Running) => {
        2
    };
    (Retrying) => {
        3
    };
    (Completed) => {
        4
    };
    (Failed) => {
        5
    };
    (Cancelled) => {
        6
    };
    (Async) => {
        0
    };
    (Thread) => {
        1
    };
    (Process) => {
        2
    };
    (Remote) => {
        3
    };
}

/// SQL text with states and lanes by name. For example
///
/// ```text
/// sql!("SELECT id FROM jobs WHERE state = " {Queued} " AND lane = " {Remote} "")
/// ```
///
/// is the literal `SELECT id FROM jobs WHERE state = 1 AND lane = 3`.
macro_rules! sql {
    ($text:literal $({$name:ident} $next:literal)*) => {
        concat!($text $(, $crate::store::codes::code!($name), $next)*)
    };
}

pub(crate) use {code, sql};

/// Checks at compile time that the literals are the numbers of [`State`] and [`Lane`].
macro_rules! check_codes {
    ($type:ident: $($name:ident)*) => {
        $(const _: () = assert!($type::$name as i64 == code!($name));)*
    };
}

check_codes!(State: Scheduled Queued Running Retrying Completed Failed Cancelled);
check_codes!(Lane: Async Thread Process Remote);
