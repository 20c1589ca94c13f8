//! Tests of the settings of a provider.

use super::*;

fn pointers(provider: &ProviderConfig) -> Vec<String> {
    provider.problems().into_iter().map(|problem| problem.pointer).collect()
}

fn auth(header: &str, prefix: &str) -> Option<ProviderAuth> {
    let [header, prefix, value_env] = [header, prefix, "PATH"].map(str::to_owned);
    Some(ProviderAuth { header, prefix, value_env })
}

fn table(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn only_a_base_url_with_a_host_and_a_valid_port_is_accepted() {
    for good in [
        "http://a",
        "https://a.example:8443/v1/",
        "http://[::1]:80",
        "http://[::1]/v1",
        "http://ä",
        "http://a/b c",
    ] {
        assert_eq!(ProviderConfig::new(good).problems(), [], "{good}");
    }
    for bad in [
        "",
        "a",
        "ftp://a",
        "http://",
        "http:///v1",
        "http://a b",
        "http://a\n",
        "http://:80",
        "http://a:",
        "http://a:0",
        "http://a:99999",
        "http://a:b",
        "http://user@a",
        "http://a/v1?x=1",
    ] {
        assert_eq!(ProviderConfig::new(bad).problems()[0].pointer, "/base_url", "{bad}");
    }
}

#[test]
fn a_key_is_the_short_form_of_a_bearer_header() {
    let base = ProviderConfig::new("http://a");
    let short = ProviderConfig { api_key_env: Some("PATH".into()), ..base.clone() };
    let long = ProviderConfig { auth: auth("authorization", "Bearer "), ..base.clone() };
    assert_eq!(short.authentication(), long.authentication());
    assert_eq!(base.authentication(), None);
    assert_eq!([short.problems(), long.problems()], [[], []]);
    let both = ProviderConfig { api_key_env: Some("PATH".into()), ..long };
    assert_eq!(pointers(&both), ["/auth"]);
}

#[test]
fn the_header_of_a_key_is_checked() {
    for (header, prefix, expected) in [
        ("api-key", "", &[][..]),
        ("Authorization", "Token token=", &[]),
        ("", "", &["/auth/header"]),
        ("api key", "", &["/auth/header"]),
        ("Host", "", &["/auth/header"]),
        ("longshore-job", "", &["/auth/header"]),
        ("Idempotency-Key", "", &["/auth/header"]),
        ("api-key", " Bearer ", &["/auth/prefix"]),
        ("api-key", "a\r\nx: ", &["/auth/prefix"]),
        ("a\n", "ä", &["/auth/header", "/auth/prefix"]),
    ] {
        let provider =
            ProviderConfig { auth: auth(header, prefix), ..ProviderConfig::new("http://a") };
        assert_eq!(pointers(&provider), expected, "{header:?} {prefix:?}");
    }
    let value_env = "LONGSHORE_TEST_NOT_SET".to_owned();
    let unset = ProviderAuth { value_env, ..auth("api-key", "").unwrap() };
    let provider = ProviderConfig { auth: Some(unset), ..ProviderConfig::new("http://a") };
    assert_eq!(pointers(&provider), ["/auth/value_env"]);
}

#[test]
fn headers_and_query_parameters_are_checked() {
    let headers = table(&[
        ("Connection", "close"),
        ("API-Key", "x"),
        ("X-A", "1"),
        ("a b", "c"),
        ("idempotency-key", "1"),
        ("longshore-job", "1"),
        ("x-a", "2"),
        ("x-break", "a\r\nb"),
        ("x-secret", "${secret:a}"),
        ("x-space", " a"),
        ("x/y", "a"),
    ]);
    let query = table(&[("", "x"), ("api-version", "2024-06-01"), ("ä", "\n")]);
    let base = ProviderConfig::new("http://a");
    let provider = ProviderConfig { auth: auth("api-key", ""), query, headers, ..base };
    let expected = [
        "/query/",
        "/headers/API-Key",
        "/headers/Connection",
        "/headers/a b",
        "/headers/idempotency-key",
        "/headers/longshore-job",
        "/headers/x-a",
        "/headers/x-break",
        "/headers/x-secret",
        "/headers/x-space",
        "/headers/x~1y",
    ];
    assert_eq!(pointers(&provider), expected);
}
