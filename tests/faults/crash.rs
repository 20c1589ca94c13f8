//! The server is killed again and again under load (D1): what it has accepted it keeps.

mod clients;
mod effects;

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::kit::{Server, Setup};
use crate::row::Row;
use clients::{Accepted, Load};
use effects::Effects;

/// How long it serves between two kills, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 150..900;
/// How long it may take until it answers again, whatever else this machine does.
const LONGEST_RECOVERY: Duration = Duration::from_secs(20);

/// Numbers that look random, from a seed that is printed (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }
}

#[test]
fn nothing_that_was_accepted_is_lost_though_the_server_is_killed_twenty_times() {
    let what = "SIGKILL at a random moment under load";
    let Some(mut row) = Row::begin("D1", what, (20, 1_000, "kills")) else { return };
    let seed = u64::from(std::process::id()) ^ 0x10_75_40_7E;
    let mut random = Random(seed);
    let effects = Effects::start();
    let mut server = Setup::new().config("lanes.async = 64").start();
    let load = Load::start(&server, &effects);
    let mut longest = Duration::ZERO;
    for _ in 0..row.times {
        let life = LIFE_MS.start + random.below(LIFE_MS.end - LIFE_MS.start);
        std::thread::sleep(Duration::from_millis(life));
        server.kill();
        let killed = Instant::now();
        server.start_again();
        load.moved(server.addr());
        assert_eq!(server.get("/readyz").status, 200);
        longest = longest.max(killed.elapsed());
    }
    let accepted = load.end();
    drain(&server);
    let found = compare(&server, &accepted, &effects);
    eprintln!("D1: seed {seed}, {found}");
    row.count("acknowledged", accepted.jobs.len());
    row.count("unknown", accepted.unknown);
    row.count("lost", 0);
    row.time("longest recovery", longest);
    assert!(longest < LONGEST_RECOVERY, "{longest:?}");
    server.kill();
    assert_eq!(damage(server.database()), ["ok"]);
    row.held();
}

/// Waits until no job is live.
fn drain(server: &Server) {
    crate::kit::eventually("every job ends", || {
        let queues = server.get("/v1/queues").expect(200);
        let live = |queue: &serde_json::Value| {
            let count = |state: &str| queue["jobs"][state].as_i64().unwrap();
            count("queued") + count("running") + count("retrying") + count("scheduled")
        };
        let left: i64 = queues["queues"].as_array().unwrap().iter().map(live).sum();
        (left == 0).then_some(())
    });
}

/// Holds what the clients wrote down against what the server has; tells the counts.
fn compare(server: &Server, accepted: &Accepted, effects: &Effects) -> String {
    let jobs = server.all_jobs();
    let (mut interrupted, mut unknown) = (0, 0);
    for (id, job) in &jobs {
        let state = job["state"].as_str().unwrap();
        let is_once = job["at_most_once"] == true;
        let is_unknown = is_once && state == "failed" && job["error"]["code"] == "outcome_unknown";
        assert!(state == "completed" || is_unknown, "job {id} ended otherwise: {job}");
        assert!(!is_once || job["attempt"] == 1, "job {id} ran twice: {job}");
        interrupted += u32::from(job["attempt"].as_i64() > Some(1));
        unknown += u32::from(is_unknown);
    }
    for (id, name) in &accepted.jobs {
        let job = jobs.get(id).unwrap_or_else(|| panic!("job {id} was accepted and is lost"));
        assert_eq!(job["tags"][0], **name, "job {id} is another");
        // What has completed has had its effect.
        if job["kind"] == "http" && job["state"] == "completed" {
            assert!(effects.of(name) >= 1, "{name} is completed without an effect");
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for job in jobs.values() {
        let name = job["tags"][0].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice: its key made two jobs");
        assert!(job["at_most_once"] == false || effects.of(name) <= 1, "{name} had two effects");
    }
    assert!(interrupted > 0, "no kill met a running job: nothing was shown");
    format!(
        "{} in all, {interrupted} interrupted and run again, {unknown} of unknown outcome",
        jobs.len()
    )
}

fn damage(database: &Path) -> Vec<String> {
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let check = "SELECT integrity_check FROM pragma_integrity_check";
    diesel::dsl::sql::<diesel::sql_types::Text>(check).load(&mut connection).unwrap()
}
