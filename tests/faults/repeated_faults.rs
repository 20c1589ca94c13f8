//! Injects a fault into a server again and again while clients keep it busy.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::fault_row::FaultRow;
use crate::history::Event;
use crate::history::check::check;
use crate::history::violation::{Operation, Violation};
use crate::kit::Server;
use crate::kit::process::longshore;
use crate::load::{FOLLOW_UP, Load, Observed};
use crate::random::Random;

/// Time that the server runs between two faults, in milliseconds.
const UPTIME_MS: std::ops::Range<u64> = 150..900;
/// Maximum time until a started server answers again, on a machine that may be busy.
const MAX_RECOVERY: Duration = Duration::from_secs(20);
/// Operations that must have succeeded at least once in every run.
pub(crate) const DEMANDED: [Operation; 9] = [
    Operation::Submit,
    Operation::Lease,
    Operation::Start,
    Operation::Effect,
    Operation::Finish,
    Operation::Cancel,
    Operation::Read,
    Operation::FollowUp,
    Operation::Fault,
];

/// Counts of one or more runs under load.
#[derive(Default)]
pub(crate) struct LoadCounts {
    acknowledged: usize,
    unknown: usize,
    refused: usize,
    interrupted: usize,
    follow_ups: usize,
    longest: Duration,
}

/// Injects `fault` `times` times under load, and returns what the clients observed.
///
/// After each fault the server is started again and SQLite checks its database.
pub(crate) fn run_with_repeated_faults(
    server: &mut Server,
    times: u32,
    random: &mut Random,
    counts: &mut LoadCounts,
    mut fault: impl FnMut(&mut Server),
) -> Observed {
    let load = Load::start(server, 2);
    for _ in 0..times {
        std::thread::sleep(Duration::from_millis(random.within(&UPTIME_MS)));
        load.fault("fault");
        fault(server);
        // The time of the fault itself, for example to mount a disk, is not part of the recovery.
        let started = Instant::now();
        server.restart();
        load.set_addr(server.addr());
        assert_eq!(server.get("/readyz").status, 200);
        counts.longest = counts.longest.max(started.elapsed());
        assert_eq!(integrity_errors(server.database()), [""; 0]);
    }
    let observed = load.end(server);
    counts.add(&observed);
    server.kill();
    assert_verified(server.database());
    observed
}

impl LoadCounts {
    /// Adds the counts of one run.
    pub(crate) fn add(&mut self, observed: &Observed) {
        let count =
            |is: fn(&Event) -> bool| observed.history.iter().filter(|event| is(event)).count();
        self.acknowledged += count(|event| matches!(event, Event::Submitted { .. }));
        self.unknown += count(|event| matches!(event, Event::Unknown { .. }));
        self.refused += refused_finishes(&observed.history);
        let again = observed.table.values().filter(|job| job.attempt > 1);
        self.interrupted += again.count();
        let follow_ups = observed.table.values().filter(|job| job.tag.ends_with(FOLLOW_UP));
        self.follow_ups += follow_ups.count();
    }

    /// Adds the counts to a row, after all checks have passed.
    pub(crate) fn report_to(&self, row: &mut FaultRow) {
        assert!(self.longest < MAX_RECOVERY, "{:?}", self.longest);
        assert!(
            self.interrupted > 0,
            "no fault interrupted a running job, so this run proves nothing"
        );
        row.count("acknowledged", self.acknowledged);
        row.count("unknown", self.unknown);
        row.count("run again", self.interrupted);
        row.count("follow-up jobs", self.follow_ups);
        row.count("late finishes refused", self.refused);
        row.count("lost", 0);
        if self.longest > Duration::ZERO {
            row.time("longest recovery", self.longest);
        }
    }
}

/// Returns the number of finishes that were refused.
fn refused_finishes(history: &[Event]) -> usize {
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

/// Returns every violation of a promise.
pub(crate) fn violations(observed: &Observed) -> Vec<Violation> {
    check(&observed.history, &observed.table, &DEMANDED)
}

/// Asserts that `longshore verify` finds no damage and that the tables of the database agree.
pub(crate) fn assert_verified(database: &Path) {
    let output = longshore(&["verify"]).arg(database).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{report}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Returns the errors that SQLite finds in a database.
fn integrity_errors(database: &Path) -> Vec<String> {
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let check = "SELECT integrity_check FROM pragma_integrity_check";
    let found: Vec<String> =
        diesel::dsl::sql::<diesel::sql_types::Text>(check).load(&mut connection).unwrap();
    if found == ["ok"] { Vec::new() } else { found }
}
