//! What SQLite's column types are in Rust.
//!
//! STRICT tables know INTEGER and REAL, which Diesel prints as 32 bits wide; both are 64.

pub(crate) use diesel::sql_types::{
    BigInt as Integer, Binary, Bool, Double as Float, Nullable, Text,
};
