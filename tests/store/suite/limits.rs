//! Limits: what the store holds back, whatever the orders ask for.

mod deferral;
mod lines;
mod provider;
mod queue;

use super::Store;
