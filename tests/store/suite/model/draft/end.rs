//! Random callbacks and follow-up jobs of jobs and batches.

use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::callback::{Callback, CallbackEvent};
use longshore::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use longshore::job::submission::on_end::reference::Source;
use longshore::job::{Json, NewJob, Span};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::table::Model;
use super::{Draft, draft_before};

/// Maximum number of follow-up jobs in a chain.
pub(in super::super) const MAX_FOLLOW_UPS: u32 = 2;

/// Receivers of webhooks, each with its group.
pub(super) const RECEIVERS: [(&str, &str); 2] =
    [("https://b.example/hook", "callbacks.09"), ("https://a.example/hook", "callbacks.12")];

const EVENTS: [CallbackEvent; 4] = [
    CallbackEvent::JobCompleted,
    CallbackEvent::JobFailed,
    CallbackEvent::JobCancelled,
    CallbackEvent::BatchFinished,
];

/// Random payload of a follow-up job.
#[derive(Debug, Clone, Copy)]
enum Reference {
    None,
    /// To something that the result has.
    Good,
    /// To something that the result does not have.
    Bad,
}

impl Reference {
    fn payload(self, source: Source) -> &'static str {
        match (self, source) {
            (Self::None, _) => "[1]",
            (Self::Good, Source::Job) => r#"[1,{"$from": "job"}]"#,
            (Self::Good, Source::Batch) => {
                r#"[{"$from": "batch", "pointer": "/results"},{"$from": "batch", "pointer": "/total"}]"#
            }
            (Self::Bad, Source::Job) => r#"[{"$from": "job", "pointer": "/nothing"}]"#,
            (Self::Bad, Source::Batch) => r#"[{"$from": "batch", "pointer": "/nothing"}]"#,
        }
    }
}

/// Random follow-up job.
#[derive(Debug, Clone)]
struct FollowUpDraft {
    job: Draft,
    delay_secs: Option<u64>,
    reference: Reference,
}

/// Random actions at the end of a job or batch.
#[derive(Debug, Clone)]
pub(in super::super) struct EndDraft {
    callback: Option<Callback>,
    then: Option<Box<FollowUpDraft>>,
}

/// Returns actions, each of which exists with this probability.
pub(in super::super) fn end_draft(
    max_follow_ups: u32,
    probability: f64,
) -> BoxedStrategy<EndDraft> {
    let callback = option::weighted(probability, callback());
    if max_follow_ups == 0 {
        return callback.prop_map(|callback| EndDraft { callback, then: None }).boxed();
    }
    let then = option::weighted(probability, follow_up(max_follow_ups - 1));
    let drafted = (callback, then);
    drafted.prop_map(|(callback, then)| EndDraft { callback, then: then.map(Box::new) }).boxed()
}

fn callback() -> impl Strategy<Value = Callback> {
    let events = option::weighted(0.4, subsequence(&EVENTS[..], 0..=EVENTS.len()));
    (select(&RECEIVERS[..]), events, any::<bool>()).prop_map(
        |((url, _), events, include_result)| Callback {
            url: url.into(),
            events,
            include_result,
            secret: None,
        },
    )
}

fn follow_up(max_follow_ups: u32) -> impl Strategy<Value = FollowUpDraft> {
    let reference = prop_oneof![
        2 => Just(Reference::None), 2 => Just(Reference::Good), 1 => Just(Reference::Bad)
    ];
    let delay_secs = option::weighted(0.2, 0..10_u64);
    (draft_before(max_follow_ups), delay_secs, reference).prop_map(
        |(job, delay_secs, reference)| FollowUpDraft {
            // A submission with an impossible follow-up job is refused before it reaches the store.
            job: Draft { is_impossible: false, ..job },
            delay_secs,
            reference,
        },
    )
}

impl EndDraft {
    pub(in super::super) fn on_end(&self, model: &Model, source: Source) -> Option<Box<OnEnd>> {
        let then = self.then.as_ref().map(|then| then.follow_up(model, source));
        OnEnd::new(self.callback.clone(), then)
    }
}

impl FollowUpDraft {
    fn follow_up(&self, model: &Model, source: Source) -> FollowUp {
        let payload = Json::trusted(self.reference.payload(source));
        let job = NewJob { payload, ..self.job.new_job(model) };
        let delay = self.delay_secs.map(Span::from_secs);
        FollowUp::new(job, RelativeTimes { delay, ..RelativeTimes::default() }, source).unwrap()
    }
}
