//! Conditions of queries for a caller that may only use some queues.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Bool;
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::auth::access::QueueAccess;
use crate::job::QueueName;
use crate::store::schema::queues;
use crate::store::sql_types::Text;

/// The queues that a caller may use, as a JSON array of patterns for SQLite, whose GLOB reads them as
/// [`QueuePattern`](crate::auth::access::QueuePattern) does. `None` if it may use all.
#[derive(Debug, Clone, Default)]
pub(in crate::store::sqlite) struct VisibleQueues {
    access: QueueAccess,
    patterns: Option<String>,
}

impl VisibleQueues {
    /// Changes the access; costs nothing if it stays the same.
    pub(in crate::store::sqlite) fn set(&mut self, access: &QueueAccess) {
        if self.access != *access {
            *self = Self { access: access.clone(), patterns: access.to_json() };
        }
    }

    /// Returns whether a queue is visible.
    pub(in crate::store::sqlite) fn allows(&self, queue: &QueueName) -> bool {
        self.access.allows(queue)
    }

    /// Returns whether the caller may use all queues.
    pub(in crate::store::sqlite) fn is_all(&self) -> bool {
        self.patterns.is_none()
    }

    /// Returns the patterns as a JSON array; `None` if all queues are visible.
    pub(in crate::store::sqlite) fn patterns(&self) -> Option<&str> {
        self.patterns.as_deref()
    }

    /// Returns the condition on a row that is joined with `queues`; `None` if all are visible.
    pub(in crate::store::sqlite) fn queue(&self) -> Option<QueueIsVisible<'_>> {
        self.patterns.as_deref().map(QueueIsVisible)
    }

    /// Returns the ids of the visible queues.
    pub(in crate::store::sqlite) fn queue_ids(
        &self,
        connection: &mut SqliteConnection,
    ) -> QueryResult<Vec<i64>> {
        match self.queue() {
            Some(is_visible) => queues::table.filter(is_visible).select(queues::id).load(connection),
            None => queues::table.select(queues::id).load(connection),
        }
    }

    /// Returns the condition on a row of `batches`; `None` if all are visible.
    pub(in crate::store::sqlite) fn batch(&self) -> Option<BatchIsVisible<'_>> {
        self.patterns.as_deref().map(BatchIsVisible)
    }
}

/// Declares a condition with one bound text: the patterns.
macro_rules! condition {
    ($(#[$doc:meta])* $name:ident = $before:literal [patterns] $after:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(in crate::store::sqlite) struct $name<'a>(&'a str);

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl Expression for $name<'_> {
            type SqlType = Bool;
        }

        impl ValidGrouping<()> for $name<'_> {
            type IsAggregate = is_aggregate::Never;
        }

        impl<Source> AppearsOnTable<Source> for $name<'_> {}

        impl<Source> SelectableExpression<Source> for $name<'_> {}

        impl QueryFragment<Sqlite> for $name<'_> {
            fn walk_ast<'walk>(&'walk self, mut out: AstPass<'_, 'walk, Sqlite>) -> QueryResult<()> {
                out.push_sql($before);
                out.push_bind_param::<Text, _>(self.0)?;
                out.push_sql($after);
                Ok(())
            }
        }
    };
}

condition! {
    /// The queue matches one of the patterns.
    QueueIsVisible =
    "EXISTS (SELECT 1 FROM json_each(" [patterns] ") WHERE queues.name GLOB value)"
}

condition! {
    /// No job of the batch was ever in another queue. A batch that never had a job was created by a key with the
    /// same queues.
    BatchIsVisible =
    "(SELECT CASE WHEN batches.total = 0 THEN batches.queue_access IS caller.patterns
         ELSE NOT EXISTS (SELECT 1 FROM batch_queues JOIN queues ON queues.id = queue_id
             WHERE batch_id = batches.id AND NOT EXISTS (
                 SELECT 1 FROM json_each(caller.patterns) WHERE queues.name GLOB value))
         END FROM (SELECT " [patterns] " AS patterns) AS caller)"
}
