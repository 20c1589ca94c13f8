//! A second server on one database (D8).

use crate::kit::{Server, Setup};
use crate::row::Row;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_second_server_on_one_database_is_refused_clearly() {
    let Some(row) = Row::begin("D8", "a second server on one database", (1, 100, "starts")) else {
        return;
    };
    let mut server = Server::start();
    for _ in 0..row.times {
        let output = Setup::new().database(server.database()).fail();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let path = server.database().display().to_string();
        let error = text(&output.stderr);
        assert!(error.contains("another process serves") && error.contains(&path), "{error}");
        server.is_well();
        // And once the first has ended, however it did, the second may.
        server.kill();
        server.start_again();
    }
    row.held();
}

#[test]
fn a_database_has_one_server_by_whatever_name_it_goes() {
    let mut server = Server::start();
    let link = server.directory().join("link.db");
    std::os::unix::fs::symlink(server.database(), &link).unwrap();
    let output = Setup::new().database(&link).fail();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another process serves"), "{}", text(&output.stderr));
    server.is_well();
}
