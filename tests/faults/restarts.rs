//! Servers that are killed, ended or started twice.

mod crash;
mod drain;
mod keys;
mod limits;
mod poison;
mod repeat;
mod second;
mod startup;
