//! Statements that are prepared once a connection.
//!
//! Diesel never caches an `update(..)` or a `sql_query(..)`, and binds numbers where a partial
//! index wants to see them. A query type of our own with a static `QueryId` is cached, and shows
//! its SQL where it is used.

/// Makes a type for one statement: its SQL with the bound values in their places.
///
/// `[name: SqlType as RustType]` is a bound value and becomes a field. A statement that gives rows
/// names their types behind `->`.
macro_rules! statement {
    (@build $(#[$doc:meta])* $name:ident $(<$life:lifetime>)? =
        $($sql:literal $([$field:ident: $sql_type:ty as $rust_type:ty])?)*) => {
        $(#[$doc])*
        pub(super) struct $name $(<$life>)? {
            $($(pub(super) $field: $rust_type,)?)*
        }

        const _: () = {
            /// Stands for the statement whatever is bound to it.
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
                    out.push_sql($sql);
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
