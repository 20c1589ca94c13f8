//! `src/store/schema.rs` says what the migrations make.

use std::fs;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use longshore::config::Config;
use longshore::store::sqlite::SqliteWrites;

use crate::assert_none;
use crate::source::{Token, root, tokens};

/// A table as it is written in either place, a line each: its key, then its columns.
type Tables = Vec<String>;

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

/// The tables that the migrations make.
fn made() -> Tables {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("longshore.db");
    let config = Config { database: database.clone(), ..Config::default() };
    drop(SqliteWrites::open(&config).unwrap());
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'
        AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<Table> = diesel::sql_query(tables).load(&mut connection).unwrap();
    tables.iter().flat_map(|table| lines_of(&mut connection, &table.name)).collect()
}

fn lines_of(connection: &mut SqliteConnection, table: &str) -> Tables {
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
        let word = diesel_type(sqlite_type);
        let word = if *notnull == 1 { word.to_owned() } else { format!("Nullable<{word}>") };
        lines.push(format!("{table}.{name}: {word}"));
    }
    lines
}

/// What Diesel calls a type of SQLite's STRICT tables.
fn diesel_type(sqlite_type: &str) -> &'static str {
    match sqlite_type {
        "INTEGER" => "Integer",
        "REAL" => "Float",
        "TEXT" => "Text",
        "BLOB" => "Binary",
        other => panic!("no type is known for {other}"),
    }
}

/// The tables that the `diesel::table!` blocks of a text declare.
fn declared(text: &str) -> Tables {
    let tokens = tokens(text);
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.text == "table" && tokens.get(at + 1).is_some_and(|next| next.text == "!") {
            // Behind `table ! { use ... ;` comes the table itself.
            let begin = at + 3 + tokens[at + 3..].iter().position(|t| t.text == ";").unwrap() + 1;
            lines.extend(declared_table(&tokens[begin..]));
        }
    }
    lines
}

fn declared_table(tokens: &[Token]) -> Tables {
    let open = tokens.iter().position(|token| token.text == "{").unwrap();
    let end = tokens.iter().position(|token| token.text == "}").unwrap();
    let table = &tokens[0].text;
    let key: String = tokens[1..open].iter().map(|token| token.text.as_str()).collect();
    let mut lines = vec![format!("{table} {}", key.replace(',', ", "))];
    let body: Vec<&str> = tokens[open + 1..end].iter().map(|token| token.text.as_str()).collect();
    for column in body.split(|text| *text == ",").filter(|column| !column.is_empty()) {
        // `name - > Type`
        lines.push(format!("{table}.{}: {}", column[0], column[3..].concat()));
    }
    lines
}

fn differences(made: &Tables, declared: &Tables) -> Vec<String> {
    let only = |these: &Tables, those: &Tables, place: &str| -> Vec<String> {
        let missing = these.iter().filter(|line| !those.contains(line));
        missing.map(|line| format!("only in {place}: {line}")).collect()
    };
    let mut found = only(made, declared, "the migrations");
    found.extend(only(declared, made, "schema.rs"));
    if found.is_empty() && made != declared {
        found.push("the columns stand in another order".into());
    }
    found
}

#[test]
fn the_schema_is_what_the_migrations_make() {
    let text = fs::read_to_string(root().join("src/store/schema.rs")).unwrap();
    let made = made();
    assert!(made.len() > 50, "the migrations made too little: {made:?}");
    assert_none(&differences(&made, &declared(&text)));
}

#[test]
fn a_schema_that_differs_is_seen() {
    let made = ["a (b, c)", "a.b: Integer", "a.c: Nullable<Text>"].map(String::from).to_vec();
    let text = |c: &str| {
        format!(
            "diesel::table! {{ use x::*; a (b, c) {{ b -> Integer, c -> {c}, }} }} joinable!(a);"
        )
    };
    assert_none(&differences(&made, &declared(&text("Nullable<Text>"))));
    assert_eq!(differences(&made, &declared(&text("Text"))).len(), 2);
    assert_eq!(differences(&made, &declared(&text("Nullable<Text>, d -> Text"))).len(), 1);
    assert_eq!(differences(&made, &declared("")).len(), 3);
    let swapped = vec![made[0].clone(), made[2].clone(), made[1].clone()];
    assert_eq!(differences(&made, &swapped).len(), 1);
}
