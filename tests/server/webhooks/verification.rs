//! The signature of a webhook, verified by the published library of another language and by the samples in the
//! documents.

use std::process::Command;

use longshore::auth::webhook::{WebhookSecret, signature};
use longshore::clock::Clock;
use serde_json::json;

use crate::kit::webhook::{has_foreign_library, run, verify_with_foreign_library};
use crate::kit::{is_installed, skip};

const BODY: &str = r#"{"type":"job.completed","data":{"text":"Grüße"}}"#;

/// Returns a secret that ends with these bytes.
fn secret(byte: u8) -> WebhookSecret {
    WebhookSecret::from_bytes([byte; 32])
}

/// Returns the headers of a webhook that was signed `age_secs` ago.
fn headers(secrets: &[WebhookSecret], age_secs: i64) -> Vec<(String, String)> {
    let timestamp_s = Clock::system().now().millis() / 1_000 - age_secs;
    let signature = signature(secrets, "msg_1", timestamp_s, BODY.as_bytes());
    let headers = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", timestamp_s.to_string()),
        ("webhook-signature", signature),
    ];
    headers.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Checks a function that returns whether a receiver accepts a webhook: headers, body, and its secret.
fn check_receiver(accepts: impl Fn(&[(String, String)], &str, &str) -> bool) {
    let (old, new) = (secret(1), secret(2));
    let alone = std::slice::from_ref(&old);
    let right = headers(alone, 0);
    assert!(accepts(&right, BODY, &old.reveal()));
    assert!(!accepts(&right, &BODY.replace("completed", "failed"), &old.reveal()), "body");
    assert!(!accepts(&right, BODY, &new.reveal()), "another secret");
    assert!(!accepts(&headers(alone, 600), BODY, &old.reveal()), "an old webhook");
    assert!(!accepts(&headers(alone, -600), BODY, &old.reveal()), "one of the future");
    let mut other_id = right;
    other_id[0].1 = "msg_2".into();
    assert!(!accepts(&other_id, BODY, &old.reveal()), "another id");
    // While a rotation overlaps, receivers with the new and with the previous value accept the webhook.
    let both = headers(&[new.clone(), old.clone()], 0);
    assert!(accepts(&both, BODY, &old.reveal()) && accepts(&both, BODY, &new.reveal()));
    assert!(!accepts(&both, BODY, &secret(3).reveal()), "neither of two secrets");
}

#[test]
fn the_published_python_library_verifies_a_signature() {
    if !has_foreign_library() {
        return skip("tests/run has not installed the Python library standardwebhooks");
    }
    check_receiver(verify_with_foreign_library);
}

/// Returns the only code block in a language of the page about webhooks.
fn sample(language: &str) -> String {
    let page = include_str!("../../../docs/WEBHOOKS.md");
    let blocks: Vec<&str> = page.split(&format!("```{language}\n")).skip(1).collect();
    assert_eq!(blocks.len(), 1, "code blocks in {language}");
    blocks[0].split("```").next().unwrap().to_owned()
}

/// Checks the function `verify` of a sample. `rest` reads a webhook from stdin, and ends with 3 if the function
/// refuses it.
fn check_sample(program: &str, option: &str, code: &str) {
    check_receiver(|headers, body, secret| {
        let headers: serde_json::Map<_, _> = headers
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::Value::from(value.as_str())))
            .collect();
        let request = json!({"headers": headers, "body": body, "secret": secret});
        run(Command::new(program).args([option, code]), &request)
    });
}

#[test]
fn the_python_sample_in_the_documents_verifies_a_signature() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let call = "import json, sys\nr = json.load(sys.stdin)\n\
                sys.exit(0 if verify(r['headers'], r['body'].encode(), r['secret']) else 3)\n";
    check_sample("python3", "-c", &(sample("python") + call));
}

#[test]
fn the_javascript_sample_in_the_documents_verifies_a_signature() {
    if !is_installed("node") {
        return skip("node is not installed");
    }
    let call = "const r = JSON.parse(require('fs').readFileSync(0));\n\
                process.exit(verify(r.headers, Buffer.from(r.body), r.secret) ? 0 : 3);\n";
    check_sample("node", "-e", &(sample("javascript") + call));
}
