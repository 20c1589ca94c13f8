//! Providers: servers from the configuration that `chat` and `http` jobs call by name.
//!
//! A provider adds its query parameters, its headers and its key to each call, so that none of them is in a
//! payload. Its limits are applied before a job is leased (see `job/limit/provider.rs`).

mod error;
mod path;
mod refusal;
mod refused_calls;

use std::collections::BTreeMap;

use awc::http::header::{HeaderName, HeaderValue};

use crate::config::{Config, HttpUrl, ProviderAuth, ProviderConfig, Secret};
use crate::executor::outbound::{Outbound, Target};
use crate::executor::provider::path::check_path;
use crate::executor::provider::refused_calls::RefusedCalls;
use crate::job::problem::{Problem, Quoted};
use crate::job::{Json, ProviderName};

pub use error::ProviderError;
pub(super) use refusal::defer_if_busy;

/// Path of a chat-completions call below the base URL.
const CHAT_PATH: &str = "/chat/completions";

/// Headers of a request.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The configured providers, by name. All executors share them.
pub(super) struct Providers(BTreeMap<String, Provider>);

impl Providers {
    /// Checks the providers of a configuration and reads their keys from the environment.
    pub(super) fn new(config: &Config) -> Result<Self, ProviderError> {
        let providers = config.providers.iter();
        let providers =
            providers.map(|(name, config)| Ok((name.clone(), Provider::new(name, config)?)));
        providers.collect::<Result<_, _>>().map(Self)
    }

    /// Returns the provider with this name.
    ///
    /// # Errors
    /// Returns the description of the problem, with the names of the configured providers.
    pub(super) fn named(&self, name: &str) -> Result<&Provider, String> {
        let known = self.0.get(name);
        known.ok_or_else(|| format!("provider {} does not exist; {}", Quoted(name), self.names()))
    }

    /// Returns the only provider, if there is exactly one.
    pub(super) fn only(&self) -> Option<&Provider> {
        self.0.values().next().filter(|_| self.0.len() == 1)
    }

    /// Returns the names of the providers that `outbound` calls for no job, because its settings deny their hosts.
    pub(super) fn denied_by(&self, outbound: &Outbound) -> Vec<&str> {
        let denied =
            self.0.iter().filter(|(_, provider)| outbound.check(&provider.chat_target).is_err());
        denied.map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the provider that a job of this kind calls, although `references` are places in its payload whose
    /// values are not known yet. None of them may choose the provider: its limits are applied before the job
    /// starts, and the other server that fills them in must not use its key as it likes.
    ///
    /// # Errors
    /// Returns the problem of a reference that would choose the provider.
    pub(super) fn of_incomplete(
        &self,
        kind: &str,
        payload: &Json,
        references: &[String],
    ) -> Result<Option<ProviderName>, Problem> {
        if !["http", "chat"].contains(&kind) {
            return Ok(None);
        }
        if let Some(place) =
            references.iter().find(|place| place.is_empty() || *place == "/provider")
        {
            return Err(Problem::new(
                place.as_str(),
                "must not be a reference: it would choose the provider",
            ));
        }
        let Ok(fields) = payload.read::<BTreeMap<String, Json>>() else { return Ok(None) };
        let name = fields.get("provider").and_then(|name| name.read::<String>().ok());
        let provider = match name {
            Some(name) => self.named(&name).ok(),
            None => self.only().filter(|_| kind == "chat"),
        };
        Ok(provider.map(|provider| provider.name.clone()))
    }

    /// Describes the providers that exist.
    pub(super) fn names(&self) -> String {
        if self.0.is_empty() {
            return "no provider is configured".into();
        }
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        format!("configured providers: {}", names.join(", "))
    }
}

/// A server from the configuration, with its key.
pub(super) struct Provider {
    pub(super) name: ProviderName,
    base: HttpUrl,
    query: BTreeMap<String, String>,
    headers: Headers,
    authentication: Option<Authentication>,
    /// Target of chat-completions calls.
    pub(super) chat_target: Target,
    /// Calls that this server refused, for the log.
    pub(super) refused_calls: RefusedCalls,
}

/// The header with the key of a provider.
struct Authentication {
    name: HeaderName,
    value: HeaderValue,
    key: Secret,
}

impl Provider {
    fn new(name: &str, config: &ProviderConfig) -> Result<Self, ProviderError> {
        let bad_url = |why| ProviderError::BadUrl { name: name.to_owned(), why };
        let base = HttpUrl::parse_base(&config.base_url).map_err(|why| bad_url(why.to_string()))?;
        let authentication = config.authentication();
        let authentication = authentication.map(|auth| Authentication::new(name, &auth));
        let headers = config.headers.iter().map(|(header_name, value)| {
            let header = (HeaderName::try_from(header_name), HeaderValue::try_from(value));
            match header {
                (Ok(header_name), Ok(value)) => Ok((header_name, value)),
                _ => Err(ProviderError::bad_header(name, header_name)),
            }
        });
        let query = config.query.clone();
        Ok(Self {
            name: name
                .parse()
                .map_err(|_error| ProviderError::BadName { name: name.to_owned() })?,
            chat_target: target(&base, CHAT_PATH, &query).map_err(bad_url)?,
            base,
            query,
            headers: headers.collect::<Result<_, _>>()?,
            authentication: authentication.transpose()?,
            refused_calls: RefusedCalls::new(name),
        })
    }

    /// Returns the target of a call to a path below the base URL, with the provider's query parameters.
    ///
    /// # Errors
    /// Returns the reason, as a predicate of the path, if it cannot be called.
    pub(super) fn target(&self, path: &str) -> Result<Target, String> {
        check_path(path).map_err(|why| why.to_string())?;
        target(&self.base, path, &self.query)
    }

    /// Adds the provider's headers: those of the configuration that are not in `headers`, and the key.
    pub(super) fn add_headers(&self, headers: &mut Headers) {
        let is_set = |name| headers.iter().any(|(known, _)| known == name);
        let defaults: Headers =
            self.headers.iter().filter(|(name, _)| !is_set(name)).cloned().collect();
        headers.extend(defaults);
        let authentication = self.authentication.as_ref();
        headers.extend(authentication.map(|auth| (auth.name.clone(), auth.value.clone())));
    }

    /// Returns whether the provider's key is the value of this header, which a job cannot set then.
    pub(super) fn authenticates_with(&self, name: &HeaderName) -> bool {
        self.authentication.as_ref().is_some_and(|authentication| authentication.name == *name)
    }

    /// Returns the key.
    pub(super) fn key(&self) -> Option<&Secret> {
        self.authentication.as_ref().map(|authentication| &authentication.key)
    }
}

/// Returns the target of a call to a path below a base URL, with these query parameters.
fn target(base: &HttpUrl, path: &str, query: &BTreeMap<String, String>) -> Result<Target, String> {
    let url = base.join(path).map_err(|why| why.to_string())?;
    // Some servers compare the names of parameters without regard to case.
    let is_set = |name: &str| query.keys().any(|known| known.eq_ignore_ascii_case(name));
    if let Some(parameter) = url.query_parameters().find(|parameter| is_set(&parameter.name)) {
        let name = Quoted(&parameter.name);
        return Err(format!("must not have the query parameter {name}, which the provider sets"));
    }
    let parameters = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = url.add_parameters(parameters).map_err(|why| why.to_string())?;
    Target::try_from(url).map(Target::for_provider)
}

impl Authentication {
    /// Reads the key from the environment.
    fn new(provider: &str, config: &ProviderAuth) -> Result<Self, ProviderError> {
        let no_key = || ProviderError::NoKey { name: provider.to_owned() };
        let key = config.value().ok_or_else(no_key)?;
        let name = HeaderName::try_from(&config.header)
            .map_err(|_error| ProviderError::bad_header(provider, &config.header))?;
        let mut value = HeaderValue::try_from(format!("{}{}", config.prefix, key.reveal()))
            .map_err(|_error| ProviderError::BadKey { name: provider.to_owned() })?;
        // Keeps the key out of `Debug` output.
        value.set_sensitive(true);
        Ok(Self { name, value, key })
    }
}
