//! Running jobs: leased, renewed, finished and rescued.

use super::Store;

mod finish;
mod lease;
mod outcome;
mod remote;
mod renew;
mod rescue;
