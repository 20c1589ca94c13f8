//! A layer imports only what stands above it in the list of `src/lib.rs`, and each library has its
//! place.

use crate::assert_none;
use crate::source::{FoundPath, Source, paths, sources, tokens};

/// The layers from the rules up to the program. Those of one line do not know each other.
const LAYERS: [&[&str]; 7] = [
    &["job"],
    &["config", "clock", "telemetry"],
    &["store", "executor"],
    &["actor"],
    &["server"],
    &["http", "pages"],
    &["cli"],
];

/// Where a library may be used. Those that are not listed may be used anywhere above `job`.
const HOMES: [(&str, &[&str]); 19] = [
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("libsqlite3_sys", &["store"]),
    ("awc", &["executor", "cli"]),
    ("actix_tls", &["executor"]),
    ("httparse", &["executor"]),
    ("rustls", &["executor", "main"]),
    ("webpki_roots", &["executor"]),
    ("ratatui", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("close_fds", &["executor"]),
    ("actix", &["actor", "server"]),
    ("actix_rt", &["actor", "server", "executor"]),
    ("actix_web", &["http", "pages", "cli"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["cli"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["telemetry"]),
];

/// What else may be used where, and why.
const EXCEPTIONS: [(&str, &str); 2] = [
    // Tests of async code need a system to run in.
    ("", "actix_web::test"),
    // The trait of what awc connects by; actix-web gives it on.
    ("src/executor/outbound/stream.rs", "actix_web::dev"),
];

/// What the rules may use: nothing that reads, waits or knows the time of day.
const OF_THE_RULES: [&str; 6] =
    ["std", "serde", "serde_json", "serde_path_to_error", "jiff", "thiserror"];

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|layers| layers.contains(&layer))
}

/// The modules that lead to a file: `src/job/time.rs` is `["job", "time"]`.
fn module(path: &str) -> Vec<&str> {
    path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
}

/// The layer that a path leads to, if it leads through the root of the crate.
fn layer_of<'a>(path: &'a FoundPath, module: &[&str]) -> Option<&'a str> {
    let ups = path.steps.iter().take_while(|step| *step == "super").count();
    let is_from_root = path.steps[0] == "crate" || ups > 0 && ups == module.len() + path.inner_mods;
    is_from_root.then(|| path.steps.get(ups.max(1)).map_or("", String::as_str))
}

fn imports_downwards(source: &Source) -> Vec<String> {
    let module = module(&source.path);
    let Some(own) = rank(module[0]) else {
        let is_whole = matches!(module[0], "lib" | "main");
        return if is_whole { vec![] } else { vec![format!("{} is in no layer", source.path)] };
    };
    let mut faults = Vec::new();
    for path in paths(&tokens(&source.text)) {
        let Some(layer) = layer_of(&path, &module) else { continue };
        if layer != module[0] && rank(layer).is_none_or(|rank| rank >= own) {
            let place = format!("{}:{}", source.path, path.line);
            faults.push(format!("{place}: {} may not use {}", module[0], path.steps.join("::")));
        }
    }
    faults
}

fn libraries_away_from_home(source: &Source) -> Vec<String> {
    let layer = module(&source.path)[0];
    let is_away = |path: &FoundPath| {
        let home = HOMES.into_iter().find(|(library, _)| *library == path.steps[0]);
        home.is_some_and(|(_, homes)| !homes.contains(&layer))
    };
    let is_excepted = |path: &FoundPath| {
        let text = path.steps.join("::");
        EXCEPTIONS.iter().any(|(file, allowed)| {
            source.path.contains(file)
                && (text == *allowed || text.starts_with(&format!("{allowed}::")))
        })
    };
    let found = paths(&tokens(&source.text)).into_iter();
    found
        .filter(|path| is_away(path) && !is_excepted(path))
        .map(|path| format!("{}:{}: {}", source.path, path.line, path.steps.join("::")))
        .collect()
}

/// Libraries in the rules that are none of theirs. `libraries` are those of Cargo.toml.
fn libraries_in_the_rules(source: &Source, libraries: &[String]) -> Vec<String> {
    if module(&source.path)[0] != "job" {
        return Vec::new();
    }
    let is_wrong = |path: &FoundPath| {
        let first = path.steps[0].as_str();
        let is_io = matches!(
            path.steps.get(1).map(String::as_str),
            Some("fs" | "net" | "io" | "env" | "process" | "thread")
        );
        first == "std" && is_io
            || libraries.iter().any(|library| library == first) && !OF_THE_RULES.contains(&first)
            || path.steps.ends_with(&["now".into()])
    };
    let found = paths(&tokens(&source.text)).into_iter().filter(is_wrong);
    found.map(|path| format!("{}:{}: {}", source.path, path.line, path.steps.join("::"))).collect()
}

fn libraries() -> Vec<String> {
    crate::reasons::dependencies().iter().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn a_layer_imports_only_what_stands_above_it() {
    let faults: Vec<String> = sources(&["src"], "rs").iter().flat_map(imports_downwards).collect();
    assert_none(&faults);
}

#[test]
fn each_library_keeps_to_its_place() {
    let sources = sources(&["src"], "rs");
    assert_none(&sources.iter().flat_map(libraries_away_from_home).collect::<Vec<_>>());
}

#[test]
fn the_rules_read_nothing_wait_for_nothing_and_know_no_time_of_day() {
    let (sources, libraries) = (sources(&["src"], "rs"), libraries());
    let faults = sources.iter().flat_map(|source| libraries_in_the_rules(source, &libraries));
    assert_none(&faults.collect::<Vec<_>>());
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn an_import_of_a_lower_layer_is_seen() {
        for (path, text) in [
            ("src/job/time.rs", "use crate::store::Write;"),
            ("src/store/sqlite.rs", "use crate::{job::State, executor::Context};"),
            ("src/executor.rs", "fn f() { crate::store::write::x() }"),
            ("src/actor/writer.rs", "use super::super::server::Handle;"),
            ("src/job.rs", "mod tests { use super::super::config::Config; }"),
            ("src/http/jobs.rs", "use crate::nowhere::X;"),
            ("src/new_place.rs", ""),
        ] {
            assert_eq!(imports_downwards(&source(path, text)).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn an_import_of_an_upper_layer_is_let_pass() {
        for (path, text) in [
            ("src/http/jobs.rs", "use crate::{job::State, server::{Handle, Error}};"),
            ("src/actor/writer.rs", "use super::message::Commit; use crate::actor::vital::Vital;"),
            ("src/job.rs", "// use crate::cli::X;\nmod tests { use super::*; }"),
            ("src/lib.rs", "use crate::cli::Cli;"),
        ] {
            assert_none(&imports_downwards(&source(path, text)));
        }
    }

    #[test]
    fn a_library_out_of_place_is_seen() {
        for (path, text) in [
            ("src/server/handle.rs", "use diesel::prelude::*;"),
            ("src/http/jobs.rs", "fn f() { awc::Client::new() }"),
            ("src/executor.rs", "use actix::{Actor, Addr};"),
            ("src/actor/writer.rs", "use actix_web::web;"),
            ("src/executor/http.rs", "use actix_web::dev::Service;"),
        ] {
            assert_ne!(libraries_away_from_home(&source(path, text)), [""; 0], "{path}: {text}");
        }
        let test = source("src/executor.rs", "#[actix_web::test] async fn f() {}");
        assert_none(&libraries_away_from_home(&test));
    }

    #[test]
    fn a_rule_that_reads_or_waits_is_seen() {
        let libraries = ["tokio".to_owned(), "serde".to_owned()];
        for text in ["use tokio::time::sleep;", "use std::fs::File;", "let x = SystemTime::now();"]
        {
            let faults = libraries_in_the_rules(&source("src/job/time.rs", text), &libraries);
            assert_eq!(faults.len(), 1, "{text}");
        }
        let good = source("src/job/time.rs", "use serde::Serialize; use std::time::SystemTime;");
        assert_none(&libraries_in_the_rules(&good, &libraries));
    }
}
