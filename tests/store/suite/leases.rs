//! Running jobs: leased, renewed, finished and rescued.

use super::Store;

mod attempts;
mod finish;
mod learned_kinds;
mod lease;
mod outcome;
mod remote;
mod renew;
mod rescue;
