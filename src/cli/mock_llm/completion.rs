//! The chat-completions form: what is asked, and the answer made up for it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::script::Script;

/// The part of a chat-completions request that matters here; other fields are let pass.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The model named.
    pub model: String,
    /// The talk so far.
    pub messages: Vec<Message>,
    /// Whether the answer is wanted in parts, which is refused.
    #[serde(default)]
    pub stream: Option<bool>,
    /// How this call is to go.
    #[serde(default)]
    pub mock: Option<Script>,
}

/// One message of the talk.
#[derive(Debug, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: String,
    /// A text, or a list of parts of which those of type `text` are read.
    #[serde(default)]
    pub content: Value,
}

impl Message {
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

/// Answers to who asks for a joke, one after another.
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

/// Answers to the other questions of the demonstration, found by a few words of the question.
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
    /// The last message of the user, on which the answer depends.
    pub fn question(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.role == "user");
        last.map(Message::text).unwrap_or_default()
    }

    /// A `chat.completion` object that answers the request, which is the `number`th.
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

/// A rough count of tokens: four bytes each, as English text has it.
fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// An error in the form in which such servers tell it.
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
    fn the_last_words_of_the_user_are_answered() {
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
    fn who_asks_again_hears_another_joke() {
        let first = answer("Tell me a joke", 1);
        assert_ne!(answer("Tell me a joke", 2), first);
        assert_eq!(answer("Tell me a JOKE", 1 + JOKES.len() as u64), first);
    }
}
