//! The model server that the demonstration calls: a mock in this process, or a real server.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use awc::Connector;
use serde_json::Value;

use super::DemoArgs;
use super::questions::answer_text;
use crate::cli::error::CliError;
use crate::cli::mock_llm::{self, MockLlm, Options};
use crate::cli::refusal::Refusal;
use crate::config::ProviderConfig;
use crate::pages::demo::chat_body;

/// Maximum time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for the head of a response, and again for its body.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// A model server and a client for it.
pub(super) struct ModelServer {
    /// Provider configuration with which the demonstration's server calls it.
    pub(super) provider: ProviderConfig,
    /// Name of the model to ask.
    pub(super) name: String,
    mock: Option<MockLlm>,
    http: awc::Client,
}

impl ModelServer {
    /// Returns the real server that the options name, or starts a mock in this process.
    pub(super) async fn open(args: &DemoArgs) -> Result<Self, CliError> {
        let mock = match args.provider_url {
            Some(_) => None,
            None => {
                let options = Options { delay: args.delay.duration(), ..Options::default() };
                let started = mock_llm::start(options).await;
                Some(started.map_err(CliError::io("cannot start the mock model server"))?)
            }
        };
        let base_url = mock.as_ref().map(MockLlm::base_url).or(args.provider_url.clone());
        let provider = ProviderConfig {
            api_key_env: args.api_key_env.clone(),
            ..ProviderConfig::new(base_url.unwrap_or_default())
        };
        let connector = Connector::new().timeout(CONNECT_TIMEOUT);
        let http = awc::Client::builder()
            .connector(connector)
            .timeout(RESPONSE_TIMEOUT)
            .disable_redirects()
            .finish();
        Ok(Self { provider, name: args.model.clone(), mock, http })
    }

    /// Asks a question directly, without a job, and waits for the answer.
    pub(super) async fn ask(&self, question: &str) -> Result<String, CliError> {
        let url = format!("{}/chat/completions", self.provider.base_url.trim_end_matches('/'));
        let mut request = self.http.post(&url).insert_header((CONTENT_TYPE, "application/json"));
        if let Some(key) = self.provider.api_key() {
            request = request.bearer_auth(key.reveal());
        }
        let unreachable = |why| CliError::Unreachable { url: url.clone(), why };
        let sent = request.send_body(chat_body(&self.name, question).to_string()).await;
        let mut response = sent.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let body = response.body().await.map_err(|error| unreachable(error.to_string()))?;
        if !status.is_success() {
            return Err(CliError::Refused(Refusal::read(status.as_u16(), &body)));
        }
        let answer = serde_json::from_slice::<Value>(&body).ok();
        let answer = answer.as_ref().and_then(answer_text).map(str::to_owned);
        answer.ok_or_else(|| CliError::BadResponse { url, why: "not a chat completion".into() })
    }

    /// Stops the mock server, if there is one.
    pub(super) async fn stop(self) {
        if let Some(mock) = self.mock {
            mock.stop().await;
        }
    }
}
