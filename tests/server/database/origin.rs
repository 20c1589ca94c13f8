//! Databases of newer versions, of other programs, and files that are no databases.

use std::fs;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{assert_refused, beside};
use crate::kit::{Server, Setup, echo, eventually};

fn run_sql(path: &Path, sql: &str) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute(sql).unwrap();
}

/// Returns a server that has ended, so that all of its database is in one file.
fn ended() -> Server {
    let mut server = Server::start();
    server.run(&echo(1));
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    server
}

#[test]
fn a_database_of_a_newer_version_is_refused_unchanged() {
    // The second version is older than the newest one of this program, which does not have it.
    for version in ["99990101000000", "20261122123456"] {
        let mut server = ended();
        let insert = format!("INSERT INTO __diesel_schema_migrations VALUES ('{version}', 0)");
        run_sql(server.database(), &insert);
        let before = fs::read(server.database()).unwrap();
        let error = assert_refused(&Setup::new().database(server.database()), 2);
        for part in
            [version, env!("CARGO_PKG_VERSION"), "schemas up to 2026", "start the newer version"]
        {
            assert!(error.contains(part), "{error}");
        }
        assert!(fs::read(server.database()).unwrap() == before);
        run_sql(server.database(), "DELETE FROM __diesel_schema_migrations WHERE run_on = 0");
        server.restart();
        assert_eq!(server.all_jobs().len(), 1);
    }
}

#[test]
fn a_newer_schema_is_refused_even_if_it_is_only_in_the_log() {
    let mut server = Server::start();
    server.run(&echo(1));
    let insert = "INSERT INTO __diesel_schema_migrations VALUES ('99990101000000', 0)";
    run_sql(server.database(), insert);
    server.kill();
    assert!(fs::metadata(beside(server.database(), "-wal")).unwrap().len() > 0);
    assert!(
        assert_refused(&Setup::new().database(server.database()), 2).contains("99990101000000")
    );
}

#[test]
fn the_database_of_another_program_is_refused_unchanged() {
    let migrations = "CREATE TABLE __diesel_schema_migrations (
        version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT 0);
        INSERT INTO __diesel_schema_migrations VALUES ('20200101000000', 0);";
    let others = [
        ("CREATE TABLE users (id INTEGER)".into(), "users"),
        ("PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER)".into(), "users"),
        ("CREATE TABLE jobs (id INTEGER); CREATE TABLE users (id INTEGER)".into(), "jobs, users"),
        ("CREATE VIEW numbers AS SELECT 1".into(), "numbers"),
        (format!("{migrations} CREATE TABLE jobs (id INTEGER)"), "jobs"),
        (migrations.into(), "__diesel_schema_migrations"),
        ("PRAGMA application_id = 0x0f055112; CREATE TABLE jobs (id INTEGER)".into(), "0x0f055112"),
        ("PRAGMA application_id = 1; VACUUM".into(), "0x00000001"),
    ];
    for (sql, part) in others {
        let setup = Setup::new();
        let path = setup.directory().join("longshore.db");
        run_sql(&path, &sql);
        let before = fs::read(&path).unwrap();
        let error = assert_refused(&setup, 2);
        assert!(
            error.contains("is not a database of longshore") && error.contains(part),
            "{error}"
        );
        assert!(fs::read(&path).unwrap() == before, "{sql}");
        assert!(!beside(&path, ".lock").exists());
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_unchanged() {
    for text in ["a".into(), "SQLite format 3".into(), "a letter to somebody\n".repeat(500)] {
        let setup = Setup::new();
        let path = setup.directory().join("longshore.db");
        fs::write(&path, &text).unwrap();
        let error = assert_refused(&setup, 2);
        assert!(error.contains("it is not a SQLite database"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn an_empty_file_and_a_database_without_tables_are_new_databases() {
    for sql in [None, Some("VACUUM"), Some("PRAGMA journal_mode = WAL")] {
        let setup = Setup::new();
        let path = setup.directory().join("longshore.db");
        match sql {
            None => fs::write(&path, "").unwrap(),
            Some(sql) => run_sql(&path, sql),
        }
        setup.start().run(&echo(1));
    }
}

#[test]
fn the_header_of_a_database_and_of_its_backup_names_this_program() {
    let server = ended();
    let copy = server.directory().join("copy.db");
    let backup = ["backup", "--database"];
    let output = crate::kit::process::longshore(&backup).arg(server.database()).arg(&copy).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    eventually("both are marked", || {
        let id = |path: &Path| fs::read(path).unwrap()[68..72] == *b"LSHR";
        (id(server.database()) && id(&copy)).then_some(())
    });
}
