//! A server that is broken again and again while clients keep it busy.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::history::Event;
use crate::history::check::check;
use crate::history::violation::{Operation, Violation};
use crate::kit::Server;
use crate::kit::process::longshore;
use crate::load::{Load, Seen};
use crate::random::Random;
use crate::row::Row;

/// How long it serves between two blows, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 150..900;
/// How long it may take until it answers again, whatever else this machine does.
const LONGEST_RECOVERY: Duration = Duration::from_secs(20);
/// What must have succeeded in every siege.
pub(crate) const DEMANDED: [Operation; 8] = [
    Operation::Submit,
    Operation::Lease,
    Operation::Start,
    Operation::Effect,
    Operation::Finish,
    Operation::Cancel,
    Operation::Read,
    Operation::Fault,
];

/// What several sieges came to.
#[derive(Default)]
pub(crate) struct Figures {
    acknowledged: usize,
    unknown: usize,
    refused: usize,
    interrupted: usize,
    longest: Duration,
}

/// Breaks the server `times` times with `blow`, starts it again each time and looks at its
/// database, and tells what clients saw.
pub(crate) fn besiege(
    server: &mut Server,
    times: u32,
    random: &mut Random,
    figures: &mut Figures,
    mut blow: impl FnMut(&mut Server),
) -> Seen {
    let load = Load::start(server, 2);
    for _ in 0..times {
        std::thread::sleep(Duration::from_millis(random.within(&LIFE_MS)));
        load.fault("blow");
        blow(server);
        // What the blow itself takes, such as mounting a disk, is none of the server's time.
        let began = Instant::now();
        server.start_again();
        load.moved(server.addr());
        assert_eq!(server.get("/readyz").status, 200);
        figures.longest = figures.longest.max(began.elapsed());
        assert_eq!(damage(server.database()), [""; 0]);
    }
    let seen = load.end(server);
    figures.add(&seen);
    server.kill();
    is_sound(server.database());
    seen
}

impl Figures {
    pub(crate) fn add(&mut self, seen: &Seen) {
        let count = |is: fn(&Event) -> bool| seen.history.iter().filter(|event| is(event)).count();
        self.acknowledged += count(|event| matches!(event, Event::Submitted { .. }));
        self.unknown += count(|event| matches!(event, Event::Unknown { .. }));
        self.refused += late_finishes(&seen.history);
        let again = seen.table.values().filter(|job| job.attempt > 1);
        self.interrupted += again.count();
    }

    /// Puts them into a row, once all has been found to hold.
    pub(crate) fn tell(&self, row: &mut Row) {
        assert!(self.longest < LONGEST_RECOVERY, "{:?}", self.longest);
        assert!(self.interrupted > 0, "no blow met a running job: nothing was shown");
        row.count("acknowledged", self.acknowledged);
        row.count("unknown", self.unknown);
        row.count("run again", self.interrupted);
        row.count("late finishes refused", self.refused);
        row.count("lost", 0);
        if self.longest > Duration::ZERO {
            row.time("longest recovery", self.longest);
        }
    }
}

/// How many finishes were refused.
fn late_finishes(history: &[Event]) -> usize {
    let call = |event: &Event| match event {
        Event::Finish { call, .. } => Some(*call),
        _ => None,
    };
    let finishes: BTreeSet<u64> = history.iter().filter_map(call).collect();
    let is_refused = |event: &&Event| match event {
        Event::Refused { call, .. } => finishes.contains(call),
        _ => false,
    };
    history.iter().filter(is_refused).count()
}

/// Everything in which the server broke a promise.
pub(crate) fn violations(seen: &Seen) -> Vec<Violation> {
    check(&seen.history, &seen.table, &DEMANDED)
}

/// Checks with `longshore verify` that a database is whole, and that its tables agree.
pub(crate) fn is_sound(database: &Path) {
    let output = longshore(&["verify"]).arg(database).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

/// What SQLite finds wrong with a database.
fn damage(database: &Path) -> Vec<String> {
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let check = "SELECT integrity_check FROM pragma_integrity_check";
    let found: Vec<String> =
        diesel::dsl::sql::<diesel::sql_types::Text>(check).load(&mut connection).unwrap();
    if found == ["ok"] { Vec::new() } else { found }
}
