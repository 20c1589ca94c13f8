//! The HTTP API serves only what the table of routes lists.

use crate::assert_none;
use crate::source::{Source, paths, sources, tokens};

/// The one file that may register a resource.
const REGISTRATION: &str = "src/http/routes.rs";

/// The one file that may make a scope, which mounts the whole table into another application.
const MOUNTING: &str = "src/http.rs";

/// Returns every place of the HTTP API that registers a resource beside the table.
fn resources_beside_the_table(source: &Source) -> Vec<String> {
    let is_http = source.path == "src/http.rs" || source.path.starts_with("src/http/");
    if !is_http || source.path == REGISTRATION {
        return Vec::new();
    }
    let registers = |name: &str| {
        matches!(name, "resource" | "Resource" | "scope" | "Scope" | "method" | "service")
            || matches!(name, "get" | "head" | "post" | "put" | "patch" | "delete")
    };
    let found = paths(&tokens(&source.text)).into_iter().filter(|path| {
        let (first, last) = (path.segments.first(), path.segments.last());
        let is_web = matches!(first.map(String::as_str), Some("web" | "actix_web"));
        let mounts = |last: &str| source.path == MOUNTING && last.eq_ignore_ascii_case("scope");
        is_web && last.is_some_and(|last| registers(last) && !mounts(last))
    });
    found
        .map(|path| format!("{}:{}: {}", source.path, path.line, path.segments.join("::")))
        .collect()
}

#[test]
fn every_served_route_is_in_the_table() {
    let sources = sources(&["src"], "rs");
    assert_none(&sources.iter().flat_map(resources_beside_the_table).collect::<Vec<_>>());
}

#[test]
fn a_resource_beside_the_table_is_found() {
    let faults = |path: &str, text: &str| {
        resources_beside_the_table(&Source { path: path.into(), text: text.into() }).len()
    };
    let text = "fn all() { web::resource(\"/v1/more\").route(web::post().to(more)) }";
    assert_eq!(faults("src/http/more.rs", text), 2);
    assert_eq!(faults("src/http/more.rs", "use actix_web::{HttpRequest, Resource};"), 1);
    assert_eq!(
        faults(MOUNTING, "web::scope(\"\")") + faults("src/http/more.rs", "web::scope(\"\")"),
        1
    );
    assert_eq!(faults(MOUNTING, text), 2);
    assert_eq!(faults(REGISTRATION, text) + faults("src/pages/more.rs", text), 0);
}
