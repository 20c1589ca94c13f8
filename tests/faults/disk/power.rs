//! Cuts the power repeatedly under load (D2): every accepted job must be on disk. The control (D3)
//! disables the flushes of the log; the same test setup must find losses then, or D2 proves nothing.

use std::time::Duration;

use crate::disk::image::Image;
use crate::disk::tracer::Tracer;
use crate::fault_row::FaultRow;
use crate::history::Event;
use crate::history::check::check;
use crate::history::violation::Violation;
use crate::kit::{Server, Setup, echo};
use crate::load::{Load, Observed};
use crate::repeated_faults::{LoadCounts, run_with_repeated_faults, violations};

/// Number of power cuts for each database.
const CUTS_PER_IMAGE: u32 = 50;
const IMAGE_MEBIBYTES: u64 = 96;
/// Time that the server runs under load in the control before the cut.
const UPTIME: Duration = Duration::from_millis(700);

fn start_on(image: &Image) -> Server {
    let setup = Setup::new().config("lanes.async = 64");
    setup.database(image.path().join("longshore.db")).start()
}

/// Cuts the power of the server and its disk, and mounts the disk again. Returns whether a call to
/// the disk was in progress at the cut.
///
/// The server is stopped before the cut, as a machine without power would be. An `fdatasync` that is
/// in progress while ext4 is shut down may return 0 although nothing reaches the disk; a plain loop
/// of `pwrite` and `fdatasync` shows this at one cut of ten. A stopped server cannot act on that
/// return value.
fn cut(server: &mut Server, image: &mut Image) -> bool {
    let is_call_in_progress = server.freeze();
    image.cut_power();
    server.kill();
    image.restore();
    is_call_in_progress
}

#[test]
fn no_accepted_job_is_lost_when_the_power_is_cut_repeatedly() {
    let what = "power cut at a random moment under load";
    let Some(mut row) = FaultRow::start("D2", what, (10, 1_000, "cuts")) else { return };
    let mut random = row.random();
    let (mut counts, mut left, mut calls_in_progress) = (LoadCounts::default(), row.times, 0);
    while left > 0 {
        let times = left.min(CUTS_PER_IMAGE);
        let mut image = match Image::mount(IMAGE_MEBIBYTES) {
            Ok(image) => image,
            Err(why) => return row.skip(&why),
        };
        let mut server = start_on(&image);
        let observed =
            run_with_repeated_faults(&mut server, times, &mut random, &mut counts, |server| {
                calls_in_progress += u32::from(cut(server, &mut image));
            });
        assert_eq!(violations(&observed), []);
        left -= times;
    }
    row.count("cuts during a disk call", calls_in_progress);
    counts.report_to(&mut row);
    row.held();
}

#[test]
fn the_test_setup_finds_lost_jobs_if_the_log_is_not_flushed() {
    let what = "the control: flushes of the log do nothing";
    let Some(mut row) = FaultRow::start("D3", what, (3, 50, "cuts")) else { return };
    let (mut acknowledged, mut lost) = (0, 0);
    for _ in 0..row.times {
        match cut_without_flushes() {
            Ok(counts) => (acknowledged, lost) = (acknowledged + counts.0, lost + counts.1),
            Err(why) => return row.skip(&why),
        }
    }
    row.count("acknowledged", acknowledged);
    row.count("lost", lost);
    assert!(lost > 0, "nothing was lost: the test setup does not find losses");
    row.held();
}

/// Cuts the power once under load, while flushes of the log report success and do nothing. Returns
/// the numbers of acknowledged and of lost jobs.
///
/// A commit with `synchronous=NORMAL` would behave the same way, because it does not flush the log.
fn cut_without_flushes() -> Result<(usize, usize), String> {
    let mut image = Image::mount(IMAGE_MEBIBYTES)?;
    let mut server = start_on(&image);
    server.run(&echo(1));
    let log = image.path().join("longshore.db-wal");
    let tracer = Tracer::flushes_of(&log, server.pid(), server.directory(), "retval=0")?;
    let load = Load::start(&server, 2);
    std::thread::sleep(UPTIME);
    cut(&mut server, &mut image);
    tracer.wait_until_ended();
    server.restart();
    load.set_addr(server.addr());
    let Observed { history, table } = load.end(&server);
    let found = check(&history, &table, &[]);
    let is_lost =
        |it: &&Violation| matches!(it, Violation::Lost { .. } | Violation::DifferentJob { .. });
    let acknowledged = history.iter().filter(|it| matches!(it, Event::Submitted { .. })).count();
    Ok((acknowledged, found.iter().filter(is_lost).count()))
}
