//! Signing in over TLS. Behind proxies it is tested with the pages.

use crate::kit::{Response, Setup, tls};
use longshore::auth::secret::KeySecret;

/// Flags of a cookie that browsers send over TLS only.
const SECURE_FLAGS: &str = "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";

/// Returns the flags of the cookie that an answer sets.
fn flags(response: &Response) -> &str {
    let cookie = response.header("set-cookie").unwrap_or_else(|| panic!("{response:?}"));
    cookie.split_once("; ").unwrap().1
}

#[test]
fn the_cookie_of_a_session_over_tls_is_secure() {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    let secret = KeySecret::from_random([7; 32]).reveal().to_owned();
    let server = setup.config(config).env("LONGSHORE_FIRST_KEY", &secret).start();
    let mut connection = tls::open(server.addr());
    let mut send = |path: &str, form: &str, headers: &[(&str, &str)]| {
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&[form_type, ("accept", "text/html")], headers].concat();
        connection.request("POST", path, &headers, form.as_bytes()).unwrap()
    };
    let own = format!("https://{}", server.addr());
    let signed_in = send("/login", &format!("key={secret}"), &[("origin", &own)]);
    assert_eq!((signed_in.status, flags(&signed_in)), (303, SECURE_FLAGS));
    let signed_out = send("/logout", "", &[("origin", &own)]);
    assert_eq!(flags(&signed_out), SECURE_FLAGS.replace("43200", "0"));
    // A page that was loaded without TLS is that of another site.
    assert_eq!(send("/login", "key=x", &[("origin", &server.url())]).status, 403);
}
