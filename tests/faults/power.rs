//! The power is cut again and again under load (D2): what was accepted is on disk. And the control
//! (D3): the same rig finds losses where the log is not flushed, or it would prove nothing.

use std::time::Duration;

use crate::history::Event;
use crate::history::check::check;
use crate::history::violation::Violation;
use crate::image::Image;
use crate::kit::{Server, Setup, echo};
use crate::load::{Load, Seen};
use crate::random::Random;
use crate::row::Row;
use crate::siege::{Figures, besiege, violations};
use crate::tracer::Tracer;

/// How many cuts a database goes through before there is a new one.
const CUTS_OF_AN_IMAGE: u32 = 50;
const IMAGE_MEBIBYTES: u64 = 96;
/// How long the control serves before its cut.
const LIFE: Duration = Duration::from_millis(700);

fn start_on(image: &Image) -> Server {
    let setup = Setup::new().config("lanes.async = 64");
    setup.database(image.path().join("longshore.db")).start()
}

/// Cuts the power of the server and its disk, and gives it again.
///
/// The server is stopped first, as it is on a machine without power: an `fdatasync` that is under
/// way while ext4 is shut down may return 0 although nothing comes to the disk. A plain loop of
/// `pwrite` and `fdatasync` shows that at one cut of ten. Nobody may hear of it. Tells whether there
/// was such a call.
fn cut(server: &mut Server, image: &mut Image) -> bool {
    let is_under_way = server.freeze();
    image.cut();
    server.kill();
    image.restore();
    is_under_way
}

#[test]
fn nothing_that_was_accepted_is_lost_though_the_power_is_cut_again_and_again() {
    let what = "power cut at a random moment under load";
    let Some(mut row) = Row::begin("D2", what, (10, 1_000, "cuts")) else { return };
    let (mut random, seed) = Random::of_this_run();
    eprintln!("D2: seed {seed}");
    let (mut figures, mut left, mut under_way) = (Figures::default(), row.times, 0);
    while left > 0 {
        let times = left.min(CUTS_OF_AN_IMAGE);
        let mut image = match Image::mount(IMAGE_MEBIBYTES) {
            Ok(image) => image,
            Err(why) => return row.skip(&why),
        };
        let mut server = start_on(&image);
        let seen = besiege(&mut server, times, &mut random, &mut figures, |server| {
            under_way += u32::from(cut(server, &mut image));
        });
        assert_eq!(violations(&seen), []);
        left -= times;
    }
    row.count("in a call to the disk", under_way);
    figures.tell(&mut row);
    row.held();
}

#[test]
fn the_rig_finds_what_is_lost_where_the_log_is_not_flushed() {
    let what = "the control: flushes of the log do nothing";
    let Some(mut row) = Row::begin("D3", what, (3, 50, "cuts")) else { return };
    let (mut acknowledged, mut lost) = (0, 0);
    for _ in 0..row.times {
        match cut_without_flushes() {
            Ok(counts) => (acknowledged, lost) = (acknowledged + counts.0, lost + counts.1),
            Err(why) => return row.skip(&why),
        }
    }
    row.count("acknowledged", acknowledged);
    row.count("lost", lost);
    assert!(lost > 0, "nothing was lost: the rig would not find it");
    row.held();
}

/// One cut under load, with flushes of the log that say that all is well and do nothing, which is
/// what `synchronous=NORMAL` makes of a commit. Counts what was acknowledged and what of it is lost.
fn cut_without_flushes() -> Result<(usize, usize), String> {
    let mut image = Image::mount(IMAGE_MEBIBYTES)?;
    let mut server = start_on(&image);
    server.run(&echo(1));
    let log = image.path().join("longshore.db-wal");
    let traced = Tracer::flushes_of(&log, server.pid(), server.directory(), "retval=0")?;
    let load = Load::start(&server, 2);
    std::thread::sleep(LIFE);
    cut(&mut server, &mut image);
    traced.ended();
    server.start_again();
    load.moved(server.addr());
    let Seen { history, table } = load.end(&server);
    let found = check(&history, &table, &[]);
    let is_lost =
        |it: &&Violation| matches!(it, Violation::Lost { .. } | Violation::Another { .. });
    let acknowledged = history.iter().filter(|it| matches!(it, Event::Submitted { .. })).count();
    Ok((acknowledged, found.iter().filter(is_lost).count()))
}
