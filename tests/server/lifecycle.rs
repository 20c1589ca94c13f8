//! The life of the server process: its start, drain, end and restart.

mod drain;
mod health;
mod listeners;
mod log;
mod log_output;
mod programs;
mod pruning;
mod raw;
mod restart;
