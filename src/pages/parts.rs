//! Parts that several pages share: the layout, charts, rows, links, numbers and times.

pub(super) mod chart;
pub(super) mod hex;
pub(super) mod job_row;
pub(super) mod json_view;
pub(super) mod layout;
pub(super) mod metrics_panel;
pub(super) mod number;
pub(super) mod provider_row;
pub(super) mod query;
pub(super) mod queue_row;
pub(super) mod state_bar;
pub(super) mod state_count;
pub(super) mod time;
