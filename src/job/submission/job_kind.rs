//! Kinds of jobs as Rust types.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of job as a type: the type of its payload, its name, and the type of its result.
///
/// It is implemented by the payload. [`Builder::job_handler`] registers a handler for it,
/// [`Handle::submit_job`] submits a job of it, and [`JobHandle::wait`] returns its result.
///
/// ```
/// use longshore::job::JobKind;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendMail {
///     to: String,
/// }
///
/// impl JobKind for SendMail {
///     const KIND: &'static str = "send-mail";
///     /// The id that the mail server returned.
///     type Output = String;
/// }
/// ```
///
/// The name is stored with each job. A job whose kind was renamed since its submission finds no
/// handler, and its attempts fail with the code `unknown_kind`.
///
/// [`Builder::job_handler`]: crate::server::Builder::job_handler
/// [`Handle::submit_job`]: crate::server::Handle::submit_job
/// [`JobHandle::wait`]: crate::server::JobHandle::wait
pub trait JobKind: Serialize + DeserializeOwned + 'static {
    /// Name of the kind, in the form of a queue name. No two kinds have the same name.
    const KIND: &'static str;
    /// Result of a completed job.
    type Output: Serialize + DeserializeOwned + 'static;
}
