//! The chat-completions format: reads requests and builds answers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::script::Script;

/// The fields of a chat-completions request that the mock reads. Other fields are ignored.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with model and messages")]
pub struct Request {
    /// Name of the requested model.
    pub model: String,
    /// Messages of the conversation, oldest first.
    pub messages: Vec<Message>,
    /// Whether a streamed answer is requested, which the mock refuses.
    #[serde(default)]
    pub stream: Option<bool>,
    /// Scripted behaviour of this call.
    #[serde(default)]
    pub mock: Option<Script>,
}

/// One message of the conversation.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with role and content")]
pub struct Message {
    /// Role of the author, such as `user`.
    pub role: String,
    /// Text of the message, or a list of parts whose `text` fields are read.
    #[serde(default)]
    pub content: Value,
}

impl Message {
    /// Returns the text of the message.
    fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        }
    }
}

/// Answers to requests for a joke, used in turn.
const JOKES: [&str; 9] = [
    "Why do programmers confuse Halloween and Christmas? Because oct 31 equals dec 25.",
    "A job walks into a bar. The barkeeper says: take a number.",
    "There are two hard things: naming, caching, and being off by one.",
    "I would tell you a joke about UDP, but you might not get it.",
    "Why did the queue break up with the stack? It wanted to come first for once.",
    "Knock, knock. Race condition. Who is there?",
    "How many workers does it take to change a bulb? One, but it holds a lease on the ladder.",
    "An SQL query sees two tables, walks up to them and asks: may I join you?",
    "My retry logic is excellent. My retry logic is excellent. My retry logic is excellent.",
];

/// Answers to the other questions of the demonstration, selected by words of the question.
const ANSWERS: [(&str, &str); 9] = [
    ("capital of france", "The capital of France is Paris."),
    (
        "bytes are in a kilobyte",
        "A kilobyte is 1,000 bytes; the 1,024 bytes often meant by it are a kibibyte.",
    ),
    ("largest planet", "Jupiter is the largest planet of the solar system."),
    ("pride and prejudice", "Jane Austen wrote Pride and Prejudice; it came out in 1813."),
    ("boiling point of water", "At sea level water boils at 100 degrees Celsius."),
    ("days are in a leap year", "A leap year has 366 days."),
    ("speed of light", "Light travels 299,792,458 metres a second in a vacuum."),
    ("haiku", "Slow calls wait in line / the harbour keeps every one / morning: all answered."),
    ("square root of 144", "The square root of 144 is 12."),
];

impl Request {
    /// Returns the last message of the user, which determines the answer.
    pub fn question(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.role == "user");
        last.map(Message::text).unwrap_or_default()
    }

    /// Returns a `chat.completion` object that answers the request. `number` counts the calls from
    /// 1; it is part of the id and selects the joke.
    pub fn completion(&self, number: u64, created: i64) -> Value {
        let content = answer(&self.question(), number);
        let prompt_tokens: usize =
            self.messages.iter().map(|message| tokens(&message.text())).sum();
        let completion_tokens = tokens(&content);
        json!({
            "id": format!("chatcmpl-mock-{number}"),
            "object": "chat.completion",
            "created": created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": null},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
        })
    }
}

/// Returns the answer to a question.
fn answer(question: &str, number: u64) -> String {
    let lower = question.to_lowercase();
    if lower.contains("joke") {
        return JOKES[(number % JOKES.len() as u64) as usize].into();
    }
    match ANSWERS.into_iter().find(|(words, _)| lower.contains(words)) {
        Some((_, answer)) => answer.into(),
        None if question.is_empty() => "You asked nothing.".into(),
        None => format!("You asked: {question}"),
    }
}

/// Estimates the number of tokens: about four bytes each in English text.
fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// Returns an error body in the format of OpenAI-style servers.
pub fn error_body(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_last_message_of_the_user_is_answered() {
        let request = request(
            r#"{"model": "m", "messages": [
                {"role": "user", "content": "Tell me a joke"},
                {"role": "assistant", "content": "No"},
                {"role": "user", "content": [{"type": "text", "text": "What's the capital of France?"}]}
            ]}"#,
        );
        let completion = request.completion(7, 1_000);
        let message = &completion["choices"][0]["message"];
        assert_eq!(message["content"], "The capital of France is Paris.");
        assert_eq!(completion["model"], "m");
        let usage = &completion["usage"];
        let sum =
            usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
        assert_eq!(usage["total_tokens"].as_u64(), Some(sum));
    }

    #[test]
    fn an_unknown_question_is_echoed() {
        assert_eq!(answer("Why?", 1), "You asked: Why?");
        assert_eq!(answer("", 1), "You asked nothing.");
    }

    #[test]
    fn a_repeated_request_for_a_joke_gets_another_joke() {
        let first = answer("Tell me a joke", 1);
        assert_ne!(answer("Tell me a joke", 2), first);
        assert_eq!(answer("Tell me a JOKE", 1 + JOKES.len() as u64), first);
    }
}
