//! What the demonstration asks, and how.

use serde_json::{Value, json};

use crate::job::Submission;

/// The name under which the demonstration's server knows the model server.
pub(super) const PROVIDER: &str = "demo";

/// The questions of the write-up from which Longshore grew, and more of that manner.
pub(super) const QUESTIONS: [&str; 10] = [
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
pub(super) fn body(model: &str, question: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}]})
}

/// The question as a job.
pub(super) fn submission(model: &str, question: &str) -> Result<Submission, serde_json::Error> {
    let mut payload = body(model, question);
    payload["provider"] = PROVIDER.into();
    Submission::new("chat", &payload)
}

/// The question that a job's payload asks.
pub(super) fn question_of(payload: &Value) -> &str {
    payload["messages"][0]["content"].as_str().unwrap_or_default()
}

/// The answer in a chat completion.
pub(super) fn answer_of(completion: &Value) -> Option<&str> {
    completion["choices"][0]["message"]["content"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::mock_llm::completion::Request;

    #[test]
    fn the_model_server_knows_an_answer_to_every_question() {
        for question in QUESTIONS {
            let request: Request = serde_json::from_value(body("mock", question)).unwrap();
            let completion = request.completion(1, 0);
            let answer = answer_of(&completion).unwrap();
            assert!(!answer.contains(question), "{answer}");
        }
    }

    #[test]
    fn a_job_asks_what_a_call_asks() {
        let job = submission("m", QUESTIONS[0]).unwrap();
        let payload: Value = job.payload.read().unwrap();
        assert_eq!(question_of(&payload), QUESTIONS[0]);
        assert_eq!(payload["provider"], PROVIDER);
    }
}
