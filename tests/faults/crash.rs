//! The server is killed again and again under load (D1): what it has accepted it keeps.

use crate::kit::{Server, Setup};
use crate::random::Random;
use crate::row::Row;
use crate::siege::{Figures, besiege, violations};

/// How many kills a database goes through. Then comes a new one, so that the check of a long run
/// stays short.
const KILLS_OF_A_DATABASE: u32 = 100;

#[test]
fn nothing_that_was_accepted_is_lost_though_the_server_is_killed_again_and_again() {
    let what = "SIGKILL at a random moment under load";
    let Some(mut row) = Row::begin("D1", what, (20, 1_000, "kills")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D1: seed {seed}");
    let (mut figures, mut left) = (Figures::default(), row.times);
    while left > 0 {
        let times = left.min(KILLS_OF_A_DATABASE);
        let mut server = Setup::new().config("lanes.async = 64").start();
        let seen = besiege(&mut server, times, &mut random, &mut figures, Server::kill);
        assert_eq!(violations(&seen), []);
        left -= times;
    }
    figures.tell(&mut row);
    row.held();
}
