//! `/`: what runs, what waits, what broke, at a glance.

use actix_web::Resource;
use actix_web::web::Data;
use askama::Template;

use crate::job::queue::{Queue, StateCounts};
use crate::job::stats::LaneLoad;
use crate::job::{Lane, Timestamp};
use crate::pages::answer::{Answered, page, show};
use crate::pages::dress::{Dress, LIVELY_MS, Place};
use crate::pages::hour::Hour;
use crate::pages::limits;
use crate::pages::moment::Took;
use crate::pages::number::Count;
use crate::pages::row::{Meter, Row};
use crate::server::Handle;
use crate::store::QueueSubset;

/// How many queues are shown.
const MAX_QUEUES: usize = 200;

/// How many of the latest failures are shown.
const FAILURES: u32 = 10;

pub(super) fn all() -> Resource {
    page("/", look)
}

/// The workers of a lane.
struct LaneRow {
    lane: Lane,
    busy: u32,
    workers: Option<u32>,
    meter: Option<Meter>,
}

impl LaneRow {
    fn new(load: &LaneLoad) -> Self {
        let share = |workers: u32| f64::from(load.busy) * 100.0 / f64::from(workers.max(1));
        Self {
            lane: load.lane,
            busy: load.busy,
            workers: load.workers,
            meter: load.workers.map(|workers| Meter::new(share(workers))),
        }
    }
}

/// A queue as a row.
struct QueueRow {
    name: String,
    is_paused: bool,
    /// In the order of the columns.
    counts: [Count; 5],
    oldest: Option<Took>,
    limits: String,
}

impl QueueRow {
    fn new(queue: &Queue) -> Self {
        let StateCounts { queued, running, scheduled, retrying, failed, .. } = queue.jobs;
        Self {
            name: queue.name.to_string(),
            is_paused: queue.settings.paused,
            counts: [queued, running, scheduled, retrying, failed].map(Count::new),
            oldest: queue.oldest_queued_age.map(|age| Took::new(age.duration())),
            limits: limits::told(&queue.settings),
        }
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    dress: Dress,
    hour: Hour,
    lanes: Vec<LaneRow>,
    queues: Vec<QueueRow>,
    more_queues: usize,
    rows: Vec<Row>,
    selects: bool,
    is_new: bool,
}

async fn look(handle: Data<Handle>) -> Answered {
    let stats = handle.stats(None).await?;
    let QueueSubset { queues, total } = handle.deepest_queues(MAX_QUEUES).await?;
    let failed = handle.recent_failures(FAILURES).await?;
    let is_new = queues.is_empty();
    let now: Timestamp = handle.now();
    show(&OverviewPage {
        dress: Dress::live("Overview", Place::Overview, LIVELY_MS),
        lanes: stats.lanes.iter().map(LaneRow::new).collect(),
        hour: Hour::of(&stats),
        queues: queues.iter().map(QueueRow::new).collect(),
        more_queues: total - queues.len(),
        rows: Row::all("failed", &failed, now),
        selects: false,
        is_new,
    })
}
