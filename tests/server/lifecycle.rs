//! The life of the server process: its start, drain, end and restart.

mod drain;
mod health;
mod log;
mod restart;
