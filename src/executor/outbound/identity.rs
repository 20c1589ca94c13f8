//! Headers in which a call identifies its job and attempt to the other server.

use awc::http::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::executor::context::Context;
use crate::executor::outbound::call::Call;
use crate::job::Json;

impl Call {
    /// Adds `Longshore-Job`, `Longshore-Attempt` and `Idempotency-Key`, unless the job sets them.
    pub(in crate::executor) fn identify(mut self, payload: &Json, context: &Context) -> Self {
        let job_headers = [
            ("longshore-job", context.job().to_string()),
            ("longshore-attempt", context.attempt().to_string()),
            ("idempotency-key", idempotency_key(payload, context)),
        ];
        for (name, value) in job_headers {
            let name = HeaderName::from_static(name);
            let is_set = self.headers.iter().any(|(known, _)| *known == name);
            if let (false, Ok(value)) = (is_set, HeaderValue::from_str(&value)) {
                self.headers.push((name, value));
            }
        }
        self
    }
}

/// Returns the idempotency key, which is the same for every attempt of a job.
///
/// The key is `longshore-` with the job id and the first 8 bytes of the payload's SHA-256 in
/// hexadecimal, for example `longshore-7-44136fa355b3678a` for job 7 with the payload `{}`. The id
/// alone is not enough, because every database counts from 1: a server that remembers keys would
/// answer a new job as it answered a different job with the same id in an older database.
fn idempotency_key(payload: &Json, context: &Context) -> String {
    let digest = Sha256::digest(payload.as_str().as_bytes());
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("longshore-{}-{digits}", context.job())
}
