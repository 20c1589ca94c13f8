//! `src/store/schema.rs` declares the same tables as the migrations create.

use std::fs;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::store::sqlite::SqliteWrites;

use crate::assert_none;
use crate::source::{Token, root, tokens};

/// Description of tables, one line each for a table's key and for every column.
type TableLines = Vec<String>;

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text, column_name = "type")]
    sqlite_type: String,
    #[diesel(sql_type = BigInt)]
    notnull: i64,
    #[diesel(sql_type = BigInt)]
    pk: i64,
}

/// Returns the tables that the migrations create.
fn migrated() -> TableLines {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("longshore.db");
    let config = Config { database: database.clone().into(), ..Config::default() };
    drop(SqliteWrites::open(&config).unwrap());
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'
        AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<Table> = diesel::sql_query(tables).load(&mut connection).unwrap();
    tables.iter().flat_map(|table| lines_of(&mut connection, &table.name)).collect()
}

fn lines_of(connection: &mut SqliteConnection, table: &str) -> TableLines {
    let columns = format!(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}') ORDER BY cid"
    );
    let columns: Vec<Column> = diesel::sql_query(columns).load(connection).unwrap();
    let mut key: Vec<(i64, &str)> =
        columns.iter().filter(|column| column.pk > 0).map(|c| (c.pk, c.name.as_str())).collect();
    key.sort_unstable();
    let key: Vec<&str> = key.into_iter().map(|(_, name)| name).collect();
    let mut lines = vec![format!("{table} ({})", key.join(", "))];
    for Column { name, sqlite_type, notnull, .. } in &columns {
        let sql_type = diesel_type(sqlite_type);
        let nullable = || format!("Nullable<{sql_type}>");
        let sql_type = if *notnull == 1 { sql_type.to_owned() } else { nullable() };
        lines.push(format!("{table}.{name}: {sql_type}"));
    }
    lines
}

/// Returns Diesel's name for a column type of SQLite's STRICT tables.
fn diesel_type(sqlite_type: &str) -> &'static str {
    match sqlite_type {
        "INTEGER" => "Integer",
        "REAL" => "Float",
        "TEXT" => "Text",
        "BLOB" => "Binary",
        other => panic!("no Diesel type is known for {other}"),
    }
}

/// Returns the tables that the `diesel::table!` blocks of a text declare.
fn declared(text: &str) -> TableLines {
    let tokens = tokens(text);
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.text == "table" && tokens.get(at + 1).is_some_and(|next| next.text == "!") {
            // The table follows `table ! { use ... ;`.
            let start = at + 3 + tokens[at + 3..].iter().position(|t| t.text == ";").unwrap() + 1;
            lines.extend(declared_table(&tokens[start..]));
        }
    }
    lines
}

fn declared_table(tokens: &[Token]) -> TableLines {
    let open = tokens.iter().position(|token| token.text == "{").unwrap();
    let end = tokens.iter().position(|token| token.text == "}").unwrap();
    let table = &tokens[0].text;
    let key: String = tokens[1..open].iter().map(|token| token.text.as_str()).collect();
    let mut lines = vec![format!("{table} {}", key.replace(',', ", "))];
    let body: Vec<&str> = tokens[open + 1..end].iter().map(|token| token.text.as_str()).collect();
    for column in body.split(|text| *text == ",").filter(|column| !column.is_empty()) {
        // The tokens of a column are `name - > Type`.
        lines.push(format!("{table}.{}: {}", column[0], column[3..].concat()));
    }
    lines
}

fn differences(migrated: &TableLines, declared: &TableLines) -> Vec<String> {
    let only = |these: &TableLines, those: &TableLines, source: &str| -> Vec<String> {
        let missing = these.iter().filter(|line| !those.contains(line));
        missing.map(|line| format!("only in {source}: {line}")).collect()
    };
    let mut found = only(migrated, declared, "the migrations");
    found.extend(only(declared, migrated, "schema.rs"));
    if found.is_empty() && migrated != declared {
        found.push("the order of the columns differs".into());
    }
    found
}

#[test]
fn the_schema_declares_the_tables_that_the_migrations_create() {
    let text = fs::read_to_string(root().join("src/store/schema.rs")).unwrap();
    let migrated = migrated();
    assert!(migrated.len() > 50, "the migrations create too few columns: {migrated:?}");
    assert_none(&differences(&migrated, &declared(&text)));
}

#[test]
fn a_schema_that_differs_is_found() {
    let migrated = ["a (b, c)", "a.b: Integer", "a.c: Nullable<Text>"].map(String::from).to_vec();
    let text = |c: &str| {
        format!(
            "diesel::table! {{ use x::*; a (b, c) {{ b -> Integer, c -> {c}, }} }} joinable!(a);"
        )
    };
    assert_none(&differences(&migrated, &declared(&text("Nullable<Text>"))));
    assert_eq!(differences(&migrated, &declared(&text("Text"))).len(), 2);
    assert_eq!(differences(&migrated, &declared(&text("Nullable<Text>, d -> Text"))).len(), 1);
    assert_eq!(differences(&migrated, &declared("")).len(), 3);
    let swapped = vec![migrated[0].clone(), migrated[2].clone(), migrated[1].clone()];
    assert_eq!(differences(&migrated, &swapped).len(), 1);
}
