//! All attacks of clients and jobs at once, and a normal client among them (`attacks`).

mod attack;
mod bodies;
mod connections;
mod figures;
mod floods;
mod held;
mod normal_client;
mod payloads;
mod requests;
mod unread;

use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use crate::fault_row::FaultRow;
use crate::kit::usage::{memory, open_descriptors, peak_memory};
use crate::kit::{Server, Setup};
use crate::repeated_faults::assert_verified;
use attack::Attack;
use figures::{Call, Figures};
use normal_client::{losses, work};

/// Connections of the normal client.
const CONNECTIONS: usize = 4;
/// Time after the end of the attacks until memory and descriptors are measured.
const REST: Duration = Duration::from_secs(10);
/// Maximum memory of the server at any time.
const MAX_MEMORY: u64 = 1 << 30;
/// Maximum number of descriptors that are open after the attacks in addition to those before.
const MAX_FURTHER_DESCRIPTORS: usize = 32;
/// Maximum 99th percentile of the times of `GET /healthz`.
const MAX_HEALTHZ_P99: Duration = Duration::from_secs(3);
/// Maximum time from the deadline of a flooding job to its end.
const MAX_STOP: Duration = Duration::from_secs(10);

fn start() -> Server {
    let config = "[commands.flood]\nargv = ['/bin/sh', '-c', 'yes >&2']\n\
                  env = { PATH = '/usr/bin:/bin' }\n[queues.large]\npaused = true\n";
    Setup::new().config(config).start()
}

#[test]
fn a_normal_client_is_served_and_loses_nothing_while_all_attacks_happen_at_once() {
    let what = "all attacks of clients and jobs at once, beside a normal client";
    let sizes = (15, 1_800, "seconds");
    let Some(mut row) = FaultRow::start("attacks", what, sizes) else { return };
    let mut server = start();
    let attack = Attack::new(server.addr());
    let large = unread::LargeJobs::submit(&server);
    let descriptors_before = open_descriptors(&server);
    let figures = run(&attack, &large, Duration::from_secs(row.times.into()));
    assert_eq!(server.get("/healthz").status, 200);
    let peak = peak_memory(&server);
    std::thread::sleep(REST);
    let (rest, descriptors) = (memory(&server), open_descriptors(&server));
    figures.report_to(&mut row);
    attack.report_to(&mut row);
    row.count("peak memory", format!("{} MiB", peak >> 20));
    row.count("memory after", format!("{} MiB", rest >> 20));
    row.count("descriptors", format!("{descriptors_before} before, {descriptors} after"));
    let log = server.log();
    row.count("ERROR lines", log.lines().filter(|line| line.contains("ERROR")).count());
    let found = losses(&figures.acknowledged, &server.all_jobs());
    row.count("lost", found.len());
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(10)]);
    assert!(figures.errors.is_empty(), "{:#?}", figures.errors);
    assert!(!log.contains("panicked"), "the server panicked");
    let healthz = figures.percentile(Call::Healthz, 99);
    assert!(healthz < MAX_HEALTHZ_P99, "{healthz:?}");
    assert!(attack.longest_stop() < MAX_STOP, "{:?}", attack.longest_stop());
    assert!(peak < MAX_MEMORY, "{} MiB", peak >> 20);
    assert!(
        descriptors <= descriptors_before + MAX_FURTHER_DESCRIPTORS,
        "{descriptors_before} descriptors before, {descriptors} after"
    );
    attack.assert_each_happened();
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert_verified(server.database());
    row.held();
}

/// Attacks a server from many threads for this time, and returns what the normal client met.
fn run(attack: &Attack, large: &unread::LargeJobs, time: Duration) -> Figures {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let attackers: [Box<dyn Fn() + Send + '_>; 9] = [
            Box::new(|| requests::send(attack)),
            Box::new(|| requests::send(attack)),
            Box::new(|| connections::keep(attack)),
            Box::new(|| unread::keep(attack, large)),
            Box::new(|| unread::read_pages(attack, large)),
            Box::new(|| bodies::keep(attack)),
            Box::new(|| floods::run_programs(attack)),
            Box::new(|| floods::call_upstreams(attack)),
            Box::new(|| payloads::run(attack)),
        ];
        let attackers = attackers.map(|attacker| scope.spawn(attacker));
        let clients = std::array::from_fn::<_, CONNECTIONS, _>(|number| {
            scope.spawn(move || work(number, attack))
        });
        // No thread ends before the attacks are over, unless it has panicked.
        let runs = |thread: &ScopedJoinHandle<'_, ()>| !thread.is_finished();
        while started.elapsed() < time && attackers.iter().all(runs) {
            std::thread::sleep(Duration::from_millis(100));
        }
        attack.end();
        for attacker in attackers {
            attacker.join().unwrap();
        }
        let mut figures = Figures::default();
        for client in clients {
            figures.add(client.join().unwrap());
        }
        figures
    })
}
