//! Starts a second server on the database of a running one (D8): it must be refused.

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_second_server_on_one_database_is_refused_clearly() {
    let Some(row) = FaultRow::start("D8", "a second server on one database", (1, 100, "starts"))
    else {
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
        server.assert_healthy();
        // After the first server was killed, another one may start.
        server.kill();
        server.restart();
    }
    row.held();
}

#[test]
fn a_second_server_is_refused_even_if_it_opens_the_database_through_a_link() {
    let mut server = Server::start();
    let link = server.directory().join("link.db");
    std::os::unix::fs::symlink(server.database(), &link).unwrap();
    let output = Setup::new().database(&link).fail();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another process serves"), "{}", text(&output.stderr));
    server.assert_healthy();
}
