//! Kills the server repeatedly under load (D1): no accepted job may be lost.

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup};
use crate::repeated_faults::{LoadCounts, run_with_repeated_faults, violations};

/// Number of kills for each database.
///
/// A long run uses several databases, so that the check of each history stays short.
const KILLS_PER_DATABASE: u32 = 100;

#[test]
fn no_accepted_job_is_lost_when_the_server_is_killed_repeatedly() {
    let what = "SIGKILL at a random moment under load";
    let Some(mut row) = FaultRow::start("D1", what, (20, 1_000, "kills")) else { return };
    let mut random = row.random();
    let (mut counts, mut left) = (LoadCounts::default(), row.times);
    while left > 0 {
        let times = left.min(KILLS_PER_DATABASE);
        let mut server = Setup::new().config("lanes.async = 64").start();
        let observed =
            run_with_repeated_faults(&mut server, times, &mut random, &mut counts, Server::kill);
        assert_eq!(violations(&observed), []);
        left -= times;
    }
    counts.report_to(&mut row);
    row.held();
}
