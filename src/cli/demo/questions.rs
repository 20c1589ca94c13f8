//! What was asked, and what was answered.

use serde_json::Value;

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
    use crate::pages::demo::{PROVIDER, QUESTIONS, body, submission};

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
        let job = submission(PROVIDER, "m", QUESTIONS[0]).unwrap();
        let payload: Value = job.payload.read().unwrap();
        assert_eq!(question_of(&payload), QUESTIONS[0]);
        assert_eq!(payload["provider"], PROVIDER);
    }
}
