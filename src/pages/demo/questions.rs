//! Ten questions for a model, and how one is asked.

use serde_json::{Value, json};

use crate::job::Submission;

/// The name under which the demonstration's server knows its model server.
pub(crate) const PROVIDER: &str = "demo";

/// The questions of the write-up from which Longshore grew, and more of that manner.
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

/// A chat-completions body that asks a question.
pub(crate) fn body(model: &str, question: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}]})
}

/// The question as a job.
pub(crate) fn submission(
    provider: &str,
    model: &str,
    question: &str,
) -> Result<Submission, serde_json::Error> {
    let mut payload = body(model, question);
    payload["provider"] = provider.into();
    Submission::new("chat", &payload)
}
