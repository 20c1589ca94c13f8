//! `/`: the overview with metrics, lanes, queues and the latest failures.

use actix_web::Resource;
use actix_web::web::Data;
use askama::Template;

use crate::job::queue::{Queue, StateCounts};
use crate::job::{Lane, Timestamp};
use crate::metrics::stats::LaneLoad;
use crate::pages::forms::limits;
use crate::pages::parts::job_row::{JobRow, Meter};
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem};
use crate::pages::parts::metrics_panel::MetricsPanel;
use crate::pages::parts::number::Count;
use crate::pages::parts::time::DurationText;
use crate::pages::response::resource::page_resource;
use crate::pages::response::{PageResult, render};
use crate::server::Handle;
use crate::store::QueueSubset;

/// Maximum number of queues shown.
const MAX_QUEUES: usize = 200;

/// Maximum number of failed jobs shown.
const FAILURES: u32 = 10;

pub(super) fn resource() -> Resource {
    page_resource("/", show_overview)
}

/// A lane and its workers as a row.
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
    /// Numbers of jobs in the order of the columns: queued, running, scheduled, retrying, failed.
    counts: [Count; 5],
    oldest: Option<DurationText>,
    limits: String,
}

impl QueueRow {
    fn new(queue: &Queue) -> Self {
        let StateCounts { queued, running, scheduled, retrying, failed, .. } = queue.jobs;
        Self {
            name: queue.name.to_string(),
            is_paused: queue.settings.paused,
            counts: [queued, running, scheduled, retrying, failed].map(Count::new),
            oldest: queue.oldest_queued_age.map(|age| DurationText::new(age.duration())),
            limits: limits::describe(&queue.settings),
        }
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    metrics: MetricsPanel,
    lanes: Vec<LaneRow>,
    queues: Vec<QueueRow>,
    more_queues: usize,
    rows: Vec<JobRow>,
    is_selectable: bool,
    has_no_queues: bool,
}

async fn show_overview(handle: Data<Handle>) -> PageResult {
    let stats = handle.stats(None).await?;
    let QueueSubset { queues, total } = handle.deepest_queues(MAX_QUEUES).await?;
    let failed = handle.recent_failures(FAILURES).await?;
    let has_no_queues = queues.is_empty();
    let now: Timestamp = handle.now();
    render(&OverviewPage {
        layout: Layout::live("Overview", NavItem::Overview, FAST_POLL_MS),
        lanes: stats.lanes.iter().map(LaneRow::new).collect(),
        metrics: MetricsPanel::new(&stats),
        queues: queues.iter().map(QueueRow::new).collect(),
        more_queues: total - queues.len(),
        rows: JobRow::all("failed", &failed, now),
        is_selectable: false,
        has_no_queues,
    })
}
