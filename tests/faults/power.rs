//! The power is cut again and again under load (D2): what was accepted is on disk. And the control
//! (D3): the same rig finds losses where the log is not flushed, or it would prove nothing.

use crate::image::Image;
use crate::kit::{Server, Setup};
use crate::random::Random;
use crate::row::Row;
use crate::siege::{Figures, besiege, violations};

/// How many cuts a database goes through before there is a new one.
const CUTS_OF_AN_IMAGE: u32 = 50;
const IMAGE_MEBIBYTES: u64 = 96;

fn start_on(image: &Image) -> Server {
    let setup = Setup::new().config("lanes.async = 64");
    setup.database(image.path().join("longshore.db")).start()
}

#[test]
fn nothing_that_was_accepted_is_lost_though_the_power_is_cut_again_and_again() {
    let what = "power cut at a random moment under load";
    let Some(mut row) = Row::begin("D2", what, (10, 1_000, "cuts")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D2: seed {seed}");
    let (mut figures, mut left) = (Figures::default(), row.times);
    while left > 0 {
        let times = left.min(CUTS_OF_AN_IMAGE);
        let image = match Image::mount(IMAGE_MEBIBYTES) {
            Ok(image) => image,
            Err(why) => return row.skip(&why),
        };
        let mut server = start_on(&image);
        let seen = besiege(&mut server, times, &mut random, &mut figures, |server| {
            image.cut();
            server.kill();
            image.restore();
        });
        assert_eq!(violations(&seen), []);
        left -= times;
    }
    figures.tell(&mut row);
    row.held();
}
