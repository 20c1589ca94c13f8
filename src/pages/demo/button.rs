//! What the buttons of the page do: which jobs each submits.

use serde_json::json;

use crate::job::{Lane, Submission};
use crate::pages::demo::call::Call;
use crate::pages::demo::questions::{QUESTIONS, submission};

/// The kind that does heavy work on a thread of the lane `async`.
pub(crate) const ASYNC_KIND: &str = "demo-async";
/// The kind that does it on a thread of its own.
pub(crate) const THREAD_KIND: &str = "demo-thread";
/// The command that does it as a program.
pub(crate) const COMMAND: &str = "demo-process";

/// The queue that lets few jobs run at once.
pub(super) const NARROW_QUEUE: &str = "demo-five";
/// How many.
pub(super) const SLOTS: u32 = 5;
/// How many jobs go through it.
pub(super) const SLEEPERS: usize = 20;
/// How many jobs do heavy work at once.
pub(super) const WORKERS: usize = 4;
/// How many small jobs run beside them.
pub(super) const ECHOES: usize = 8;

/// The queue of the heavy work.
const WORK_QUEUE: &str = "demo-work";

/// Primes are counted up to here: about a second of one core, also where the build is a slow one.
const PRIMES_BELOW: u64 = if cfg!(debug_assertions) { 400_000 } else { 4_000_000 };

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) provider: String,
    pub(super) model: String,
}

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Button {
    /// Two sleeps at once.
    Start,
    /// One question.
    Joke,
    /// Many sleeps in a queue that lets few run.
    Semaphore,
    /// All questions together.
    Questions,
    /// Heavy work in a lane.
    Work(Lane),
    /// Small jobs beside the heavy ones.
    Echoes,
}

impl Button {
    /// The button that a form names.
    pub(super) fn of(word: &str) -> Option<Self> {
        let works = [Lane::Async, Lane::Thread, Lane::Process].map(Self::Work);
        let others = [Self::Start, Self::Joke, Self::Semaphore, Self::Questions];
        others.into_iter().chain(works).find(|button| button.word() == word)
    }

    /// The word that forms and the script name it by.
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Joke => "joke",
            Self::Semaphore => "semaphore",
            Self::Questions => "questions",
            Self::Work(lane) => lane.as_str(),
            Self::Echoes => "echoes",
        }
    }

    /// The name of its batch.
    pub(super) fn name(self) -> String {
        match self {
            Self::Start => "two sleeps at once".into(),
            Self::Joke => "a joke".into(),
            Self::Semaphore => format!("{SLEEPERS} sleeps, {SLOTS} at once"),
            Self::Questions => "ten questions".into(),
            Self::Work(lane) => format!("primes in the {lane} lane"),
            Self::Echoes => "echoes beside the primes".into(),
        }
    }

    /// Its jobs.
    pub(super) fn jobs(self, asked: &Asked) -> Result<Vec<Submission>, serde_json::Error> {
        let ask = |question: &str| submission(&asked.provider, &asked.model, question);
        match self {
            Self::Start => Ok(vec![Submission::new("sleep", &json!({"duration": "5s"}))?; 2]),
            Self::Joke => Ok(vec![ask(QUESTIONS[0])?]),
            Self::Questions => QUESTIONS.into_iter().map(ask).collect(),
            Self::Semaphore => {
                let job = Submission::new("sleep", &json!({"duration": "1s"}))?;
                Ok(vec![Submission { queue: Some(NARROW_QUEUE.into()), ..job }; SLEEPERS])
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
                Ok(vec![Submission { queue: Some(WORK_QUEUE.into()), ..job? }; WORKERS])
            }
            Self::Echoes => Ok(vec![Submission::new("echo", "still there?")?; ECHOES]),
        }
    }

    /// The request that submits them.
    pub(super) fn call(
        self,
        about: &'static str,
        asked: &Asked,
    ) -> Result<Call, serde_json::Error> {
        match (self, self.jobs(asked)?.as_slice()) {
            (Self::Joke, [job]) => Call::one(self.word(), about, "", job),
            (_, jobs) => Call::batch(self.word(), about, &self.name(), jobs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked { provider: "p".into(), model: "m".into() }
    }

    #[test]
    fn each_deed_has_its_jobs() {
        let count = |word| Button::of(word).unwrap().jobs(&asked()).unwrap().len();
        let counts = ["start", "joke", "semaphore", "questions", "async", "process"].map(count);
        assert_eq!(counts, [2, 1, 20, 10, 4, 4]);
        assert_eq!(Button::of("rest"), None);
    }

    #[test]
    fn the_same_work_goes_to_every_lane() {
        let body = |lane| Button::Work(lane).call("", &asked()).unwrap().body;
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
