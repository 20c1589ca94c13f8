//! A server that is killed while it starts (D9).

use std::process::Stdio;
use std::time::Duration;

use crate::kit::{Setup, echo};
use crate::row::Row;

#[test]
fn a_server_that_is_killed_while_it_starts_starts_the_next_time() {
    let what = "killed while the tables are made";
    let Some(mut row) = Row::begin("D9", what, (3, 50, "databases")) else { return };
    for round in 0..u64::from(row.times) {
        let setup = Setup::new();
        // Over the making of the tables, and over what lies before and behind it.
        for pause in 0..12 {
            let mut child =
                setup.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(3 * pause + round % 3));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let server = setup.start();
        assert_eq!(server.run(&echo(round))["result"], round);
    }
    row.count("kills", 12 * row.times);
    row.held();
}
