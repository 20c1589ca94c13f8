//! Reads questions and answers from chat-completions JSON.

use serde_json::Value;

/// Returns the question in the payload of a job.
pub(super) fn question_text(payload: &Value) -> &str {
    payload["messages"][0]["content"].as_str().unwrap_or_default()
}

/// Returns the answer in a chat completion.
pub(super) fn answer_text(completion: &Value) -> Option<&str> {
    completion["choices"][0]["message"]["content"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::mock_llm::completion::Request;
    use crate::pages::demo::{PROVIDER, QUESTIONS, chat_body, chat_submission};

    #[test]
    fn the_model_server_knows_an_answer_to_every_question() {
        for question in QUESTIONS {
            let request: Request = serde_json::from_value(chat_body("mock", question)).unwrap();
            let completion = request.completion(1, 0);
            let answer = answer_text(&completion).unwrap();
            assert!(!answer.contains(question), "{answer}");
        }
    }

    #[test]
    fn a_job_asks_the_same_question_as_a_direct_call() {
        let job = chat_submission(PROVIDER, "m", QUESTIONS[0]).unwrap();
        let payload: Value = job.payload.read().unwrap();
        assert_eq!(question_text(&payload), QUESTIONS[0]);
        assert_eq!(payload["provider"], PROVIDER);
    }
}
