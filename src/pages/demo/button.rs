//! The buttons of the demo page and the jobs that they submit.

use serde_json::json;

use crate::job::{Lane, Submission};
use crate::pages::demo::call::Call;
use crate::pages::demo::questions::{BATCH_NAME, QUESTIONS, chat_submission};

/// The kind that runs the heavy work on a thread of the `async` lane.
pub(crate) const ASYNC_KIND: &str = "demo-async";
/// The kind that runs the heavy work in the `thread` lane.
pub(crate) const THREAD_KIND: &str = "demo-thread";
/// The command that runs the heavy work in the `process` lane.
pub(crate) const COMMAND: &str = "demo-process";

/// The queue with a limit of [`SLOTS`] running jobs.
pub(super) const LIMITED_QUEUE: &str = "demo-five";
/// Maximum number of running jobs of the limited queue.
pub(super) const SLOTS: u32 = 5;
/// Number of jobs submitted to the limited queue.
pub(super) const SLEEPERS: usize = 20;
/// Number of jobs with heavy work per lane.
pub(super) const HEAVY_JOBS: usize = 4;
/// Number of small jobs that run at the same time as the heavy work.
pub(super) const ECHOES: usize = 8;

/// The queue of the heavy work.
pub(super) const WORK_QUEUE: &str = "demo-work";

/// Upper bound of the primes to count: about a second of work on one core. Debug builds are slower and
/// count fewer.
const PRIMES_BELOW: u64 = if cfg!(debug_assertions) { 400_000 } else { 4_000_000 };

/// The provider and the model that answer the questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelTarget {
    pub(super) provider: String,
    pub(super) model: String,
}

/// A button of the demo page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Button {
    /// Two sleep jobs at the same time.
    Start,
    /// One question.
    Joke,
    /// Many sleep jobs in a queue with a limit.
    Semaphore,
    /// All questions as one batch.
    Questions,
    /// Heavy work in a lane.
    Work(Lane),
    /// Small jobs at the same time as the heavy work.
    Echoes,
}

impl Button {
    /// Returns the button with this name, if it has a form.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        let works = [Lane::Async, Lane::Thread, Lane::Process].map(Self::Work);
        let others = [Self::Start, Self::Joke, Self::Semaphore, Self::Questions];
        others.into_iter().chain(works).find(|button| button.name() == name)
    }

    /// Returns the name that forms and the script use.
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Joke => "joke",
            Self::Semaphore => "semaphore",
            Self::Questions => "questions",
            Self::Work(lane) => lane.as_str(),
            Self::Echoes => "echoes",
        }
    }

    /// Returns the name of the batch that the button submits.
    pub(super) fn batch_name(self) -> String {
        match self {
            Self::Start => "two sleep jobs".into(),
            Self::Joke => "a joke".into(),
            Self::Semaphore => format!("{SLEEPERS} sleep jobs, {SLOTS} at once"),
            Self::Questions => BATCH_NAME.into(),
            Self::Work(lane) => format!("primes in the {lane} lane"),
            Self::Echoes => "echo jobs".into(),
        }
    }

    /// Returns the jobs that the button submits.
    pub(super) fn jobs(self, target: &ModelTarget) -> Result<Vec<Submission>, serde_json::Error> {
        let ask = |question: &str| chat_submission(&target.provider, &target.model, question);
        match self {
            Self::Start => Ok(vec![Submission::new("sleep", &json!({"duration": "5s"}))?; 2]),
            Self::Joke => Ok(vec![ask(QUESTIONS[0])?]),
            Self::Questions => QUESTIONS.into_iter().map(ask).collect(),
            Self::Semaphore => {
                let job = Submission::new("sleep", &json!({"duration": "1s"}))?;
                Ok(vec![Submission { queue: Some(LIMITED_QUEUE.into()), ..job }; SLEEPERS])
            }
            Self::Work(lane) => {
                let job = match lane {
                    Lane::Thread => Submission::new(THREAD_KIND, &json!({"below": PRIMES_BELOW})),
                    Lane::Process => {
                        let args = [PRIMES_BELOW.to_string()];
                        Submission::new("command", &json!({"name": COMMAND, "args": args}))
                    }
                    Lane::Async | Lane::Remote => {
                        Submission::new(ASYNC_KIND, &json!({"below": PRIMES_BELOW}))
                    }
                };
                Ok(vec![Submission { queue: Some(WORK_QUEUE.into()), ..job? }; HEAVY_JOBS])
            }
            Self::Echoes => Ok(vec![Submission::new("echo", "still there?")?; ECHOES]),
        }
    }

    /// Returns the request that submits the jobs.
    pub(super) fn call(
        self,
        about: &'static str,
        target: &ModelTarget,
    ) -> Result<Call, serde_json::Error> {
        match (self, self.jobs(target)?.as_slice()) {
            (Self::Joke, [job]) => Call::one(self.name(), about, "", job),
            (_, jobs) => Call::batch(self.name(), about, &self.batch_name(), jobs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> ModelTarget {
        ModelTarget { provider: "p".into(), model: "m".into() }
    }

    #[test]
    fn each_button_has_its_jobs() {
        let count = |name| Button::by_name(name).unwrap().jobs(&target()).unwrap().len();
        let counts = ["start", "joke", "semaphore", "questions", "async", "process"].map(count);
        assert_eq!(counts, [2, 1, 20, 10, 4, 4]);
        assert_eq!(Button::by_name("rest"), None);
    }

    #[test]
    fn the_same_work_goes_to_every_lane() {
        let body = |lane| Button::Work(lane).call("", &target()).unwrap().body;
        let below = PRIMES_BELOW.to_string();
        for (lane, kind) in
            [(Lane::Async, ASYNC_KIND), (Lane::Thread, THREAD_KIND), (Lane::Process, COMMAND)]
        {
            let body = body(lane);
            assert!(body.contains(kind) && body.contains(&below), "{body}");
            assert!(body.contains(WORK_QUEUE), "{body}");
        }
    }
}
