//! A layer imports only layers listed before it in `src/lib.rs`, and a library is used only in the
//! layers that are listed for it.

use crate::assert_none;
use crate::source::{FoundPath, Source, paths, sources, tokens};

/// Layers, from the rules of jobs up to the program. Layers in one line do not import each other.
const LAYERS: [&[&str]; 11] = [
    &["job"],
    &["auth"],
    &["roster"],
    &["metrics"],
    &["api"],
    &["config", "clock"],
    &["store", "executor"],
    &["actor"],
    &["server"],
    &["http", "pages", "testing"],
    &["cli"],
];

/// Layers in which a library may be used. A library that is not listed may be used in every layer
/// except the [`PURE_LAYERS`].
const ALLOWED_LAYERS: [(&str, &[&str]); 26] = [
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("libsqlite3_sys", &["store"]),
    ("awc", &["executor", "cli"]),
    ("actix_tls", &["executor", "cli"]),
    ("httparse", &["executor"]),
    ("flate2", &["executor", "cli"]),
    ("brotli_decompressor", &["executor"]),
    ("url", &["config"]),
    ("rustls", &["executor", "http", "main"]),
    ("tokio_rustls", &["http"]),
    ("webpki_roots", &["executor"]),
    ("ratatui", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("close_fds", &["executor"]),
    ("actix", &["actor", "server"]),
    ("actix_http", &["http"]),
    ("actix_server", &["http"]),
    ("actix_service", &["http"]),
    ("actix_rt", &["actor", "server", "executor"]),
    ("actix_web", &["http", "pages", "cli"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["cli"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["cli"]),
];

/// Further permitted uses: part of a file's path, and a path of a library.
const EXCEPTIONS: [(&str, &str); 3] = [
    // Tests of async code need an actix system to run in.
    ("", "actix_web::test"),
    // The trait of awc's connector, which actix-web re-exports.
    ("src/executor/outbound/stream.rs", "actix_web::dev"),
    ("src/executor/outbound.rs", "actix_web::dev"),
];

/// Layers that do no IO and read no clock.
const PURE_LAYERS: [&str; 5] = ["job", "roster", "metrics", "auth", "api"];

/// Libraries that the pure layers may use. A path that ends in `now` is refused even in these.
const PURE_LIBRARIES: [&str; 11] = [
    "std",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "jiff",
    "thiserror",
    "sha2",
    "base64",
    "crc32fast",
    "hmac",
    "subtle",
];

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|layers| layers.contains(&layer))
}

/// Returns the module path of a file: `["job", "time"]` for `src/job/time.rs`.
fn module(path: &str) -> Vec<&str> {
    path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
}

/// Returns the layer that a path leads to, if it goes through the root of the crate.
fn layer_of<'a>(path: &'a FoundPath, module: &[&str]) -> Option<&'a str> {
    let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
    let is_from_root =
        path.segments[0] == "crate" || ups > 0 && ups == module.len() + path.inner_mods;
    is_from_root.then(|| path.segments.get(ups.max(1)).map_or("", String::as_str))
}

fn forbidden_imports(source: &Source) -> Vec<String> {
    let module = module(&source.path);
    let Some(own_rank) = rank(module[0]) else {
        let is_root = matches!(module[0], "lib" | "main");
        return if is_root { vec![] } else { vec![format!("{} is in no layer", source.path)] };
    };
    let mut faults = Vec::new();
    for path in paths(&tokens(&source.text)) {
        let Some(layer) = layer_of(&path, &module) else { continue };
        if layer != module[0] && rank(layer).is_none_or(|rank| rank >= own_rank) {
            let location = format!("{}:{}", source.path, path.line);
            let import = path.segments.join("::");
            faults.push(format!("{location}: {} may not use {import}", module[0]));
        }
    }
    faults
}

fn misplaced_libraries(source: &Source) -> Vec<String> {
    let layer = module(&source.path)[0];
    let is_misplaced = |path: &FoundPath| {
        let listed = ALLOWED_LAYERS.into_iter().find(|(library, _)| *library == path.segments[0]);
        listed.is_some_and(|(_, layers)| !layers.contains(&layer))
    };
    let is_exception = |path: &FoundPath| {
        let text = path.segments.join("::");
        EXCEPTIONS.iter().any(|(file, allowed)| {
            source.path.contains(file)
                && (text == *allowed || text.starts_with(&format!("{allowed}::")))
        })
    };
    let found = paths(&tokens(&source.text)).into_iter();
    found
        .filter(|path| is_misplaced(path) && !is_exception(path))
        .map(|path| format!("{}:{}: {}", source.path, path.line, path.segments.join("::")))
        .collect()
}

/// Returns every use of IO, of the clock or of a forbidden library in a file of a pure layer.
/// `libraries` are the dependencies in Cargo.toml.
fn impure_uses(source: &Source, libraries: &[String]) -> Vec<String> {
    if !PURE_LAYERS.contains(&module(&source.path)[0]) {
        return Vec::new();
    }
    let is_impure = |path: &FoundPath| {
        let first = path.segments[0].as_str();
        let is_io = matches!(
            path.segments.get(1).map(String::as_str),
            Some("fs" | "net" | "io" | "env" | "process" | "thread")
        );
        first == "std" && is_io
            || libraries.iter().any(|library| library == first) && !PURE_LIBRARIES.contains(&first)
            || path.segments.ends_with(&["now".into()])
    };
    let found = paths(&tokens(&source.text)).into_iter().filter(is_impure);
    found
        .map(|path| format!("{}:{}: {}", source.path, path.line, path.segments.join("::")))
        .collect()
}

fn libraries() -> Vec<String> {
    crate::reasons::dependencies().iter().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn a_layer_imports_only_layers_listed_before_it() {
    let faults: Vec<String> = sources(&["src"], "rs").iter().flat_map(forbidden_imports).collect();
    assert_none(&faults);
}

#[test]
fn a_library_is_used_only_in_its_layers() {
    let sources = sources(&["src"], "rs");
    assert_none(&sources.iter().flat_map(misplaced_libraries).collect::<Vec<_>>());
}

#[test]
fn the_pure_layers_do_no_io_and_read_no_clock() {
    let (sources, libraries) = (sources(&["src"], "rs"), libraries());
    let faults = sources.iter().flat_map(|source| impure_uses(source, &libraries));
    assert_none(&faults.collect::<Vec<_>>());
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn an_import_of_a_later_layer_is_found() {
        for (path, text) in [
            ("src/job/time.rs", "use crate::store::Write;"),
            ("src/store/sqlite.rs", "use crate::{job::State, executor::Context};"),
            ("src/executor.rs", "fn f() { crate::store::write::x() }"),
            ("src/actor/writer.rs", "use super::super::server::Handle;"),
            ("src/job.rs", "mod tests { use super::super::config::Config; }"),
            ("src/http/jobs.rs", "use crate::nowhere::X;"),
            ("src/metrics/stats.rs", "use crate::api::jobs::JobPage;"),
            ("src/new_place.rs", ""),
        ] {
            assert_eq!(forbidden_imports(&source(path, text)).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn an_import_of_an_earlier_layer_is_accepted() {
        for (path, text) in [
            ("src/http/jobs.rs", "use crate::{job::State, server::{Handle, Error}};"),
            ("src/actor/writer.rs", "use super::message::Commit; use crate::actor::vital::Vital;"),
            ("src/job.rs", "// use crate::cli::X;\nmod tests { use super::*; }"),
            ("src/lib.rs", "use crate::cli::Cli;"),
        ] {
            assert_none(&forbidden_imports(&source(path, text)));
        }
    }

    #[test]
    fn a_library_in_a_wrong_layer_is_found() {
        for (path, text) in [
            ("src/server/handle.rs", "use diesel::prelude::*;"),
            ("src/http/jobs.rs", "fn f() { awc::Client::new() }"),
            ("src/executor.rs", "use actix::{Actor, Addr};"),
            ("src/actor/writer.rs", "use actix_web::web;"),
            ("src/executor/http.rs", "use actix_web::dev::Service;"),
        ] {
            assert_ne!(misplaced_libraries(&source(path, text)), [""; 0], "{path}: {text}");
        }
        let test = source("src/executor.rs", "#[actix_web::test] async fn f() {}");
        assert_none(&misplaced_libraries(&test));
    }

    #[test]
    fn io_and_clock_reads_in_a_pure_layer_are_found() {
        let libraries = ["tokio".to_owned(), "serde".to_owned()];
        for text in ["use tokio::time::sleep;", "use std::fs::File;", "let x = SystemTime::now();"]
        {
            for path in ["src/job/time.rs", "src/roster.rs", "src/api/jobs.rs"] {
                assert_eq!(impure_uses(&source(path, text), &libraries).len(), 1, "{path}: {text}");
            }
        }
        let good = source("src/job/time.rs", "use serde::Serialize; use std::time::SystemTime;");
        assert_none(&impure_uses(&good, &libraries));
    }
}
