//! Recording of the SQL that the store runs, from Diesel's instrumentation.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

#[derive(Default)]
struct StatementLog {
    prepared: Vec<String>,
    run: Vec<String>,
}

thread_local! {
    static LOG: RefCell<Option<Arc<Mutex<StatementLog>>>> = const { RefCell::new(None) };
}

/// Statements that are prepared and run on the connections that this thread opens from now on.
pub(crate) struct Statements(Arc<Mutex<StatementLog>>);

impl Statements {
    pub(crate) fn record() -> Self {
        set_default_instrumentation(recorder).unwrap();
        let log = Arc::new(Mutex::new(StatementLog::default()));
        LOG.set(Some(log.clone()));
        Self(log)
    }

    /// Returns the statements that were prepared and cached, in order, with placeholders for values.
    pub(crate) fn prepared(&self) -> Vec<String> {
        self.0.lock().unwrap().prepared.clone()
    }

    /// Returns the statements that were run, in order, with placeholders for values.
    pub(crate) fn run(&self) -> Vec<String> {
        self.0.lock().unwrap().run.clone()
    }

    /// Forgets all recorded statements.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap() = StatementLog::default();
    }
}

impl Drop for Statements {
    fn drop(&mut self) {
        LOG.set(None);
    }
}

/// Returns the instrumentation of a new connection. Diesel calls it on the thread that opens it.
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
