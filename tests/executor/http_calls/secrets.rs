//! Secrets from the configuration in the headers of `http` jobs.

use longshore::config::{Config, ProviderConfig, SecretConfig};
use longshore::executor::{Registry, RegistryError};
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::response;
use crate::server::*;

/// An environment variable that is set wherever tests run, with a value long enough to be a secret.
const VALUE_ENV: &str = "CARGO_MANIFEST_DIR";

fn value() -> String {
    std::env::var(VALUE_ENV).unwrap()
}

/// Returns a configuration with the secret `main`, which is bound to this host.
fn config(host: &str) -> Config {
    let hosts = vec![host.parse().unwrap()];
    let secret = SecretConfig { value_env: VALUE_ENV.into(), hosts };
    Config { secrets: [("main".to_owned(), secret)].into(), ..crate::harness::config() }
}

fn with_header(url: &str, name: &str, value: &str) -> Value {
    json!({"url": url, "headers": {name: value}})
}

#[actix_web::test]
async fn a_secret_is_filled_in_toward_its_host() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let registry = registry_of(&config(&url));
    for (header, sent) in [
        ("Bearer ${secret:main}", format!("Bearer {}", value())),
        ("${secret:main}:${secret:main}", format!("{0}:{0}", value())),
        ("$${secret:main} ${x} ${", format!("${} ${{x}} ${{", value())),
        ("${secret}", "${secret}".to_owned()),
    ] {
        completed(run(&registry, "http", with_header(&url, "X-Id", header)).await);
        let request = soon(seen.recv()).await.unwrap().1;
        assert_eq!(request.header("x-id"), Some(&*sent));
    }
}

#[actix_web::test]
async fn a_secret_is_filled_in_toward_the_host_of_a_provider() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let providers = [("one", &*url), ("two", "http://127.0.0.1:1")]
        .map(|(name, url)| (name.to_owned(), ProviderConfig::new(url)));
    let registry = registry_of(&Config { providers: providers.into(), ..config(&url) });
    let payload = |provider: &str| json!({"provider": provider, "path": "/", "headers": {"x": "${secret:main}"}});
    completed(run(&registry, "http", payload("one")).await);
    assert_eq!(soon(seen.recv()).await.unwrap().1.header("x"), Some(&*value()));
    assert_eq!(problem_pointers(&registry, "http", &payload("two")), ["/headers/x"]);
}

#[actix_web::test]
async fn a_secret_is_sent_to_no_other_host() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let registry = registry_of(&config("http://127.0.0.1:1"));
    let hosts = [
        url.clone(),
        url.replace("127.0.0.1", "localhost"),
        "http://127.0.0.1:1@127.0.0.1/".into(),
        "https://127.0.0.1:1/".into(),
        "http://127.0.0.1/:1".into(),
    ];
    for host in hosts {
        let payload = with_header(&host, "X-Id", "${secret:main}");
        let pointers = problem_pointers(&registry, "http", &payload);
        assert!(!pointers.is_empty(), "{host}");
        let error = fatal(run(&registry, "http", payload).await);
        assert_eq!(error.code, "bad_payload");
        assert!(!error.message.contains(&value()), "{error:?}");
    }
    assert!(seen.try_recv().is_err());
    let accepted = with_header("http://0x7f.1:1/", "X-Id", "${secret:main}");
    assert_eq!(problem_pointers(&registry, "http", &accepted), [""; 0]);
}

#[actix_web::test]
async fn an_invalid_reference_is_reported_with_its_header() {
    let registry = registry_of(&config("http://127.0.0.1:1"));
    let url = "http://127.0.0.1:1/";
    let detail = |name: &str, value: &str| {
        let payload = longshore::job::Json::of(&with_header(url, name, value)).unwrap();
        let problems = registry.check("http", &payload).unwrap_err();
        assert_eq!(problems[0].pointer, format!("/headers/{name}"), "{value}");
        problems[0].detail.clone()
    };
    let unknown = detail("x", "Bearer ${secret:other}");
    let expected =
        "secret \"other\" is not available for this host; see [secrets] in the configuration";
    assert_eq!(unknown, expected);
    assert!(detail("x", "${secret:main").contains("malformed"));
    assert!(detail("x", "${secret:}").contains("malformed"));
    let trace = json!({"url": url, "method": "TRACE", "headers": {"x": "${secret:main}"}});
    assert_eq!(problem_pointers(&registry, "http", &trace), ["/method"]);
    // Without a secret, TRACE is allowed, and a reference elsewhere is ordinary text.
    let plain =
        json!({"url": format!("{url}?a=${{secret:x}}"), "method": "TRACE", "body": "${secret:x}"});
    assert_eq!(problem_pointers(&registry, "http", &plain), [""; 0]);
}

#[actix_web::test]
async fn a_secret_that_the_server_repeats_is_hidden() {
    let (url, _seen) = listen_and_record(|caller, request| {
        let value = request.header("x-id").unwrap().to_owned();
        let status = if request.path == "/ok" { "200 OK" } else { "302 Found" };
        let headers = format!("x-echo: <{value}>\r\nlocation: http://127.0.0.1:1/?{value}\r\n");
        caller.answer(status, &headers, &format!("was {value}"));
    });
    let registry = registry_of(&config(&url));
    let failed = with_header(&format!("{url}/"), "X-Id", "u:${secret:main}!");
    let outcome = run(&registry, "http", failed).await;
    let shown = format!("{outcome:?}");
    assert!(!shown.contains(&value()), "{shown}");
    let message = fatal(outcome).message;
    assert!(message.contains("points to http://127.0.0.1:1/?u:(secret)!"), "{message}");
    assert!(message.contains("was u:(secret)!"), "{message}");
    // The body of a result is kept as it is.
    let complete = with_header(&format!("{url}/ok"), "X-Id", "u:${secret:main}!");
    let result = completed(run(&registry, "http", complete).await);
    assert_eq!(result["headers"]["x-echo"], "<u:(secret)!>");
    assert_eq!(result["body"], format!("was u:{}!", value()));
}

#[test]
fn a_secret_without_a_value_is_reported_at_the_start() {
    let mut config = config("a.example");
    config.secrets.get_mut("main").unwrap().value_env = "LONGSHORE_TEST_NOT_SET".into();
    let error = Registry::new(&config).err().unwrap();
    assert!(matches!(error, RegistryError::Secret(_)), "{error}");
    assert!(error.to_string().contains("secret main"), "{error}");
}
