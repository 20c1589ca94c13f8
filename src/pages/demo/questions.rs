//! Ten questions for a language model, and the jobs that ask them.

use serde_json::{Value, json};

use crate::job::Submission;

/// Name of the provider that `longshore demo` configures.
pub(crate) const PROVIDER: &str = "demo";

/// Name of the batch that asks all questions.
pub(crate) const BATCH_NAME: &str = "ten questions";

/// The questions. The first ones are from the article that led to Longshore.
pub(crate) const QUESTIONS: [&str; 10] = [
    "Tell me a joke",
    "What's the capital of France?",
    "How many bytes are in a kilobyte?",
    "Which is the largest planet of the solar system?",
    "Who wrote Pride and Prejudice?",
    "What is the boiling point of water?",
    "How many days are in a leap year?",
    "What is the speed of light?",
    "Write a haiku about waiting in line",
    "What is the square root of 144?",
];

/// Returns a chat-completions body with this question.
pub(crate) fn chat_body(model: &str, question: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}]})
}

/// Returns the question as a `chat` job.
pub(crate) fn chat_submission(
    provider: &str,
    model: &str,
    question: &str,
) -> Result<Submission, serde_json::Error> {
    let mut payload = chat_body(model, question);
    payload["provider"] = provider.into();
    Submission::new("chat", &payload)
}
