//! The model server that the demonstration asks: one of its own, or a real one.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use awc::Connector;
use serde_json::Value;

use super::DemoArgs;
use super::questions::answer_of;
use crate::cli::error::CliError;
use crate::cli::mock_llm::{self, MockLlm, Options};
use crate::cli::refusal::Refusal;
use crate::config::ProviderConfig;
use crate::pages::demo::body;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a model may take for the head of an answer, and then again for its body.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// A model server and how to reach it.
pub(super) struct Model {
    /// How the server reaches it.
    pub(super) provider: ProviderConfig,
    /// Which model is asked.
    pub(super) name: String,
    mock: Option<MockLlm>,
    http: awc::Client,
}

impl Model {
    /// The real server that the options name, or else a new one in this process.
    pub(super) async fn open(args: &DemoArgs) -> Result<Self, CliError> {
        let mock = match args.provider_url {
            Some(_) => None,
            None => {
                let options = Options { delay: args.delay.duration(), ..Options::default() };
                let started = mock_llm::start(options).await;
                Some(started.map_err(CliError::io("cannot start the model server"))?)
            }
        };
        let base_url = mock.as_ref().map(MockLlm::base_url).or(args.provider_url.clone());
        let provider = ProviderConfig {
            base_url: base_url.unwrap_or_default(),
            api_key_env: args.api_key_env.clone(),
            max_running: None,
            requests_per_minute: None,
        };
        let connector = Connector::new().timeout(CONNECT_TIMEOUT);
        let http = awc::Client::builder()
            .connector(connector)
            .timeout(ANSWER_TIMEOUT)
            .disable_redirects()
            .finish();
        Ok(Self { provider, name: args.model.clone(), mock, http })
    }

    /// Asks a question straight, with no job in between, and waits for the answer.
    pub(super) async fn ask(&self, question: &str) -> Result<String, CliError> {
        let url = format!("{}/chat/completions", self.provider.base_url.trim_end_matches('/'));
        let mut request = self.http.post(&url).insert_header((CONTENT_TYPE, "application/json"));
        if let Some(key) = self.provider.api_key() {
            request = request.bearer_auth(key.reveal());
        }
        let unreachable = |why| CliError::Unreachable { url: url.clone(), why };
        let sent = request.send_body(body(&self.name, question).to_string()).await;
        let mut response = sent.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let body = response.body().await.map_err(|error| unreachable(error.to_string()))?;
        if !status.is_success() {
            return Err(CliError::Refused(Refusal::read(status.as_u16(), &body)));
        }
        let answer = serde_json::from_slice::<Value>(&body).ok();
        let answer = answer.as_ref().and_then(answer_of).map(str::to_owned);
        answer.ok_or_else(|| CliError::BadAnswer { url, why: "not a chat completion".into() })
    }

    /// Ends the server, if it is one of our own.
    pub(super) async fn stop(self) {
        if let Some(mock) = self.mock {
            mock.stop().await;
        }
    }
}
