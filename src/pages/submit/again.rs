//! Submitting a job again: the form is filled in from the job, and what the user does not change is
//! submitted exactly as it was, with its webhook. A follow-up job is left out: the API shows only its kind and
//! queue.

use crate::job::submission::BackoffChange;
use crate::job::{Job, JobId, Json, Lane, State, Submission, Timestamp};
use crate::pages::forms::fields::Fields;
use crate::pages::parts::json_view::{JsonView, MAX_SHOWN_BYTES};
use crate::pages::submit::indent::indent;
use crate::pages::submit::restore::restore;
use crate::server::{Error, Handle};

/// The job from which a form was filled in.
pub(super) struct Original(Job);

impl Original {
    /// Reads the job.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if it does not exist.
    pub(super) async fn read(handle: &Handle, id: JobId) -> Result<Self, Error> {
        handle.job(id).await.map(Self)
    }

    /// Returns whether the job's `expires_at` has passed. The form leaves it out then, because it would
    /// cancel the new job at once.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.0.expires_at.is_some_and(|at| at <= now)
    }

    /// Returns the payload if it is too large for a form, which then shows a part of it.
    fn large_payload(&self) -> Option<&Json> {
        self.0.payload.as_ref().filter(|payload| payload.as_str().len() > MAX_SHOWN_BYTES)
    }

    /// Returns what the form shows of a payload that is too large for it.
    pub(super) fn large_payload_view(&self) -> Option<JsonView> {
        let payload = self.large_payload()?;
        Some(JsonView::new(Some(payload), &format!("/v1/jobs/{}", self.0.id)))
    }

    /// Returns the payload if the form did not have it, because it is too large.
    pub(super) fn payload_beside(&self, fields: &Fields) -> Option<Json> {
        let is_beside = fields.get("payload").is_none()
            && fields.get("as") == Some("json")
            && fields.trimmed("kind") == Some(self.0.kind.as_str());
        self.large_payload().filter(|_| is_beside).cloned()
    }

    /// Returns the fields of a form that submits the job again. A payload that would be longer than
    /// `max_payload_bytes` when it is indented is shown as it is.
    pub(super) fn fields(&self, max_payload_bytes: usize, now: Timestamp) -> Fields {
        let job = &self.0;
        let mut fields = Fields::default();
        fields.set("from", job.id.to_string());
        fields.set("kind", job.kind.as_str());
        fields.set("as", "json");
        if self.large_payload().is_none() {
            let payload = job.payload.as_ref().map_or("null", Json::as_str);
            let indented = indent(payload);
            let is_short = indented.len() <= max_payload_bytes;
            fields.set("payload", if is_short { indented } else { payload.to_owned() });
        }
        fields.set("queue", job.queue.as_str());
        fields.set("priority", job.priority.to_string());
        // Retries by hand raise `max_attempts`.
        let granted = job.attempts_granted.unwrap_or(job.max_attempts);
        fields.set("max_attempts", granted.to_string());
        fields.set("timeout", job.timeout.to_string());
        fields.set("tags", job.tags.join("\n"));
        fields.set("backoff", self.backoff());
        if let Some(metadata) = &job.metadata {
            fields.set("metadata", indent(metadata.as_str()));
        }
        if job.at_most_once {
            fields.set("at_most_once", "yes");
        }
        if job.truncate_result {
            fields.set("truncate_result", "yes");
        }
        if job.lane == Lane::Remote {
            fields.set("lane", "remote");
        }
        // The `run_at` of any other state is the time of the next attempt, or has passed.
        if job.state == State::Scheduled && job.run_at > now {
            fields.set("run_at", job.run_at.to_string());
        }
        if let Some(expires_at) = job.expires_at.filter(|_| !self.has_expired(now)) {
            fields.set("expires_at", expires_at.to_string());
        }
        fields
    }

    /// Returns the text of the backoff in the form.
    fn backoff(&self) -> String {
        let text = self.0.backoff.as_ref().map(serde_json::to_string);
        text.and_then(Result::ok).unwrap_or_default()
    }

    /// Gives what was not changed in the form its original value, where the text in the form is not the
    /// same as the value.
    pub(super) fn restore(&self, submission: &mut Submission, fields: &Fields) {
        let job = &self.0;
        if submission.kind == job.kind && fields.get("as") == Some("json") {
            let original = job.payload.as_ref().map_or("null", Json::as_str);
            submission.payload = Json::trusted(restore(submission.payload.as_str(), original));
        }
        if let (Some(edited), Some(original)) = (&submission.metadata, &job.metadata) {
            submission.metadata = Some(Json::trusted(restore(edited.as_str(), original.as_str())));
        }
        if fields.get("backoff") == Some(&self.backoff()) {
            submission.backoff = job.backoff.map(BackoffChange::from);
        }
        submission.callback = job.callback.clone();
        submission.tags = tags(fields.get("tags").unwrap_or_default(), &job.tags);
    }
}

/// Returns the tags of the form, one on each line. White space around a tag is removed, unless it
/// belongs to a tag of the original job.
fn tags(text: &str, original: &[String]) -> Vec<String> {
    let tag = |line: &'_ str| match original.iter().any(|tag| tag == line) {
        true => line.to_owned(),
        false => line.trim().to_owned(),
    };
    text.split('\n').map(tag).filter(|tag| !tag.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_an_original_tag_is_kept() {
        let original = [" a ".to_owned(), " ".to_owned(), "b".to_owned()];
        assert_eq!(tags(" a \n \nb", &original), original);
        assert_eq!(tags(" a \n  b \n c\n\n", &original), [" a ", "b", "c"]);
        assert!(tags("", &original).is_empty());
    }
}
