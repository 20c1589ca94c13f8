//! SQL statements that are prepared once per connection.
//!
//! Diesel never caches `update(..)` and `sql_query(..)`, and it binds numbers that a partial index
//! needs as literals. It does cache a custom query type with a static `QueryId`, so each statement is
//! such a type, declared with its SQL next to the code that runs it.

use diesel::dsl::AsSelect;
use diesel::sqlite::Sqlite;

/// Columns of a statement that returns rows of the type `R`, in the order of its fields.
pub(super) type Columns<R> = AsSelect<R, Sqlite>;

/// Declares a type for one SQL statement with typed parameters.
///
/// `[name: SqlType as RustType]` is a bound parameter, which becomes a field of the type. `{Name}`
/// between two literals is the number of a state or lane, see [`crate::store::codes`]. A statement that
/// returns rows has the types of its columns after `->`, or [`Columns`] of a row. For example
///
/// ```text
/// statement! {
///     FindKind -> Text =
///     "SELECT kind FROM jobs WHERE state = " {Queued} " AND id = " [job: Integer as i64]
/// }
/// ```
///
/// declares a struct that runs as `FindKind { job: 7 }.get_result(connection)`.
macro_rules! statement {
    (@build $(#[$doc:meta])* $name:ident $(<$life:lifetime>)? =
        $($sql:literal $({$code:ident} $next:literal)*
            $([$field:ident: $sql_type:ty as $rust_type:ty])?)*) => {
        $(#[$doc])*
        pub(super) struct $name $(<$life>)? {
            $($(pub(super) $field: $rust_type,)?)*
        }

        const _: () = {
            /// Identifies the statement in Diesel's cache, whatever values are bound to it.
            pub(super) struct Id;

            impl $(<$life>)? diesel::query_builder::QueryId for $name $(<$life>)? {
                type QueryId = Id;
                const HAS_STATIC_QUERY_ID: bool = true;
            }
        };

        impl $(<$life>)? diesel::query_builder::QueryFragment<diesel::sqlite::Sqlite>
            for $name $(<$life>)?
        {
            fn walk_ast<'walk>(
                &'walk self,
                mut out: diesel::query_builder::AstPass<'_, 'walk, diesel::sqlite::Sqlite>,
            ) -> diesel::QueryResult<()> {
                $(
                    out.push_sql($crate::store::codes::sql!($sql $({$code} $next)*));
                    $(out.push_bind_param::<$sql_type, _>(&self.$field)?;)?
                )*
                Ok(())
            }
        }

        impl $(<$life>)? diesel::RunQueryDsl<diesel::sqlite::SqliteConnection>
            for $name $(<$life>)? {}
    };
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? -> $rows:ty = $($parts:tt)*) => {
        statement! { @build $(#[$doc])* $name $(<$life>)? = $($parts)* }

        impl $(<$life>)? diesel::query_builder::Query for $name $(<$life>)? {
            type SqlType = $rows;
        }
    };
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? = $($parts:tt)*) => {
        statement! { @build $(#[$doc])* $name $(<$life>)? = $($parts)* }
    };
}

pub(super) use statement;
