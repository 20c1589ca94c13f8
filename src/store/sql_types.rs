//! Diesel types of the column types of SQLite.
//!
//! INTEGER and REAL of SQLite's STRICT tables are 64 bits wide, but Diesel prints 32-bit types for
//! them. The aliases below correct that.

pub(crate) use diesel::sql_types::{
    BigInt as Integer, Binary, Bool, Double as Float, Nullable, Text,
};
