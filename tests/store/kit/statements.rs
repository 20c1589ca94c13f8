//! The SQL that the store really runs, as Diesel tells of it.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

#[derive(Default)]
struct Log {
    prepared: Vec<String>,
    run: Vec<String>,
}

thread_local! {
    static LOG: RefCell<Option<Arc<Mutex<Log>>>> = const { RefCell::new(None) };
}

/// What the connections that this thread opens from now on prepare and run.
pub(crate) struct Statements(Arc<Mutex<Log>>);

impl Statements {
    pub(crate) fn record() -> Self {
        set_default_instrumentation(recorder).unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        LOG.set(Some(log.clone()));
        Self(log)
    }

    /// What was prepared and kept, in order, with placeholders for its values.
    pub(crate) fn prepared(&self) -> Vec<String> {
        self.0.lock().unwrap().prepared.clone()
    }

    /// What was run, in order, with placeholders for its values.
    pub(crate) fn run(&self) -> Vec<String> {
        self.0.lock().unwrap().run.clone()
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap() = Log::default();
    }
}

impl Drop for Statements {
    fn drop(&mut self) {
        LOG.set(None);
    }
}

/// Diesel asks for this where a connection is opened, on the thread that opens it.
fn recorder() -> Option<Box<dyn Instrumentation>> {
    let log = LOG.with_borrow(Clone::clone)?;
    Some(Box::new(move |event: InstrumentationEvent<'_>| {
        let mut log = log.lock().unwrap();
        match event {
            InstrumentationEvent::CacheQuery { sql, .. } => log.prepared.push(sql.into()),
            InstrumentationEvent::StartQuery { query, .. } => {
                let shown = query.to_string();
                let sql = shown.split(" -- binds").next().unwrap_or_default();
                log.run.push(sql.into());
            }
            _ => {}
        }
    }))
}
