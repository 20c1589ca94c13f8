//! Kinds that remote workers made known: stored, forgotten, and read at the start.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::auth::access::{QueueAccess, QueuePattern};
use crate::job::Timestamp;
use crate::roster::{KindChanges, LearnedKind};
use crate::store::error::StoreError;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::values::corrupt;
use crate::store::schema::learned_kinds;
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::Answer;

statement! {
    StoreKind<'a> =
    "INSERT OR REPLACE INTO learned_kinds (kind, queues, asked_at) VALUES (" [kind: Text as &'a str]
    ", " [queues: Text as &'a str] ", " [asked_at: Integer as i64] ")"
}

statement! {
    ForgetKind<'a> =
    "DELETE FROM learned_kinds WHERE kind = " [kind: Text as &'a str]
    " AND queues = " [queues: Text as &'a str]
}

/// A learned kind.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = learned_kinds)]
struct LearnedKindRow {
    kind: String,
    queues: String,
    asked_at: i64,
}

impl LearnedKindRow {
    fn parse(self) -> Result<LearnedKind, StoreError> {
        let corrupt = |fault: &str| corrupt(format_args!("learned kind {:?}", self.kind), fault);
        let patterns: Vec<QueuePattern> = serde_json::from_str(&self.queues)
            .map_err(|_invalid| corrupt("has invalid queue patterns"))?;
        Ok(LearnedKind {
            kind: self.kind.parse().map_err(|_invalid| corrupt("has an invalid name"))?,
            queues: QueueAccess::of(&patterns),
            asked_at: Timestamp::from_millis(self.asked_at),
        })
    }
}

/// Returns the patterns of queues in the form of their column.
fn queues_text(queues: &QueueAccess) -> String {
    // A list of plain texts always has a JSON form.
    serde_json::to_string(queues.patterns()).unwrap_or_default()
}

impl CommitGroup<'_> {
    /// Applies [`Write::LearnKinds`](crate::store::Write::LearnKinds).
    pub(crate) fn learn_kinds(&mut self, KindChanges { asked, forgotten }: &KindChanges) -> ApplyResult {
        for learned in asked {
            let queues = queues_text(&learned.queues);
            let (kind, asked_at) = (learned.kind.as_str(), learned.asked_at.millis());
            StoreKind { kind, queues: &queues, asked_at }.execute(self.connection)?;
        }
        for learned in forgotten {
            let queues = queues_text(&learned.queues);
            let kind = learned.kind.as_str();
            ForgetKind { kind, queues: &queues }.execute(self.connection)?;
        }
        Ok(Answer::Done)
    }
}

/// Reads all learned kinds. Impossible rows are skipped.
pub(super) fn read_all(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<Vec<LearnedKind>, TransactionError> {
    let rows: Vec<LearnedKindRow> = learned_kinds::table
        .order((learned_kinds::kind, learned_kinds::queues))
        .select(LearnedKindRow::as_select())
        .load(connection)?;
    let mut kinds = Vec::with_capacity(rows.len());
    for row in rows {
        kinds.extend(impossible.skip(row.parse())?);
    }
    Ok(kinds)
}
