//! Providers and secrets with which the server cannot start.

use std::io::Write;

use crate::kit::process::longshore;
use crate::stderr;

#[test]
fn a_provider_that_cannot_be_called_is_an_invalid_configuration() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "[providers.a]\nbase_url = 'http://'\napi_key_env = 'EMPTY_KEY'\n\
                [providers.b]\nbase_url = 'http://a b'\napi_key_env = 'BROKEN_KEY'\n\
                [providers.c]\nbase_url = 'http://c'\napi_key_env = 'FOREIGN_KEY'\n";
    file.write_all(text.as_bytes()).unwrap();
    let foreign = std::os::unix::ffi::OsStringExt::from_vec(b"sk-\xff".to_vec());
    let keys: [(&str, std::ffi::OsString); 3] =
        [("EMPTY_KEY", "".into()), ("BROKEN_KEY", "sk-a\n".into()), ("FOREIGN_KEY", foreign)];
    let output = longshore(&["serve", "--config", file.path().to_str().unwrap()])
        .envs(keys)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "5 problem(s)",
        "providers.a.base_url: must name a host",
        "EMPTY_KEY, which is empty",
        "providers.b.base_url: must name a host that is a valid domain name",
        "BROKEN_KEY, which contains a line break",
        "FOREIGN_KEY, which is not UTF-8",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("sk-"), "{text}");
}

#[test]
fn an_invalid_credential_is_an_invalid_configuration_and_not_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "[providers.a]\nbase_url = 'http://a'\napi_key_env = 'GOOD_KEY'\n\
                auth = { header = 'Host', prefix = ' x', value_env = 'NO_KEY' }\n\
                headers = { Longshore-Job = '1', host = 'b' }\n\
                [secrets.b]\nvalue_env = 'SHORT_KEY'\nhosts = []\n\
                [secrets.'C c']\nvalue_env = 'BROKEN_KEY'\nhosts = ['c.example']\n";
    file.write_all(text.as_bytes()).unwrap();
    let serve = || longshore(&["serve", "--config", file.path().to_str().unwrap()]);
    let keys = [("GOOD_KEY", "sk-abcdef"), ("SHORT_KEY", "sk-a"), ("BROKEN_KEY", "sk-abc def")];
    let output = serve().envs(keys).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "10 problem(s)",
        "providers.a.auth: cannot be combined with api_key_env",
        "providers.a.auth.header: must not be host, which is set by the HTTP client",
        "providers.a.auth.prefix: must be printable ASCII without a space at the start",
        "providers.a.auth.value_env: names the environment variable NO_KEY, which is not set",
        "providers.a.headers.Longshore-Job: must not be longshore-job, which is set by this server",
        "providers.a.headers.host: is the header that authenticates the calls",
        "secrets.b.value_env: names the environment variable SHORT_KEY, whose value is shorter",
        "secrets.b.hosts: must list at least one host",
        "secrets.C c.value_env: names the environment variable BROKEN_KEY, which contains",
        "secrets.C c: must be",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("sk-"), "{text}");
    let hosts = ("LONGSHORE_SECRETS__D__HOSTS", "d.example,https://e.example");
    let output = serve().envs([hosts, ("LONGSHORE_SECRETS__D__VALUE_ENV", "GOOD_KEY")]).output();
    let text = stderr(&output.unwrap());
    assert!(text.contains("at LONGSHORE_SECRETS__D__HOSTS[1]: must be a host such as"), "{text}");
}
