//! `/`: the overview with metrics, lanes, held providers, queues and the latest failures.

use actix_web::Resource;
use actix_web::web::ReqData;
use askama::Template;

use crate::job::{Lane, Timestamp};
use crate::metrics::stats::LaneLoad;
use crate::pages::access::permissions::Permissions;
use crate::pages::parts::job_row::{JobRow, Meter};
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem};
use crate::pages::parts::metrics_panel::MetricsPanel;
use crate::pages::parts::provider_row::ProviderRow;
use crate::pages::parts::queue_row::QueueRow;
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

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    metrics: MetricsPanel,
    lanes: Vec<LaneRow>,
    /// Providers that are paused, recover from a pause, or have jobs without being configured.
    providers: Vec<ProviderRow>,
    queues: Vec<QueueRow>,
    more_queues: usize,
    rows: Vec<JobRow>,
    is_selectable: bool,
    has_no_queues: bool,
    /// The page to which the buttons of the queues return.
    back: String,
}

async fn show_overview(handle: ReqData<Handle>) -> PageResult {
    let stats = handle.stats(None).await?;
    let QueueSubset { queues, total } = handle.deepest_queues(MAX_QUEUES).await?;
    let failed = handle.recent_failures(FAILURES).await?;
    let has_no_queues = queues.is_empty();
    let now: Timestamp = handle.now();
    let may = Permissions::of(&handle);
    // What concerns all queues is not shown to a key that may only use some.
    let providers = if may.see_providers() { handle.providers().await? } else { Vec::new() };
    let providers = providers.iter().map(|provider| ProviderRow::new(provider, now));
    render(&OverviewPage {
        layout: Layout::live(may, "Overview", NavItem::Overview, FAST_POLL_MS),
        lanes: stats.lanes.iter().map(LaneRow::new).collect(),
        metrics: MetricsPanel::new(&stats),
        providers: providers.filter(|provider| provider.is_held).collect(),
        queues: queues.iter().map(QueueRow::new).collect(),
        more_queues: total - queues.len(),
        rows: JobRow::all("failed", &failed, now),
        is_selectable: false,
        has_no_queues,
        back: "overview".into(),
    })
}
