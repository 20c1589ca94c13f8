//! `/login` and `/logout`: signing in with a key, and out again.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER, SET_COOKIE};
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse, Resource};
use askama::Template;

use crate::api::routes::pages::{LOGIN, SESSION_COOKIE};
use crate::auth::token::SESSION;
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::fields::Fields;
use crate::pages::forms::form;
use crate::pages::forms::origin::{SEC_FETCH_SITE, origin_of};
use crate::pages::parts::layout::{Layout, NavItem};
use crate::pages::response::render::render_with_status;
use crate::pages::response::resource::{form_resource, form_route, page_resource};
use crate::pages::response::{PageResult, redirect_to};
use crate::server::Handle;

/// Maximum size of the forms, in bytes. Anybody can send them.
const MAX_FORM_BYTES: usize = 8 << 10;

/// Maximum length of the path to go on to.
const MAX_NEXT_BYTES: usize = 2_048;

pub(crate) fn login() -> Resource {
    page_resource(LOGIN, show_form).route(form_route(sign_in))
}

pub(crate) fn logout() -> Resource {
    form_resource("/logout", sign_out)
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    layout: Layout,
    /// Path to go on to; empty for the first page.
    next: &'a str,
    problem: Option<String>,
    /// Whether the browser must ask again, because it came from another site and sent no cookie.
    comes_from_elsewhere: bool,
}

impl<'a> LoginPage<'a> {
    fn new(next: &'a str) -> Self {
        let layout = Layout::fixed(Permissions::none(), "Sign in", NavItem::None);
        Self { layout, next, problem: None, comes_from_elsewhere: false }
    }

    fn refused(self, status: StatusCode, problem: impl Into<String>) -> HttpResponse {
        render_with_status(status, &Self { problem: Some(problem.into()), ..self })
    }
}

async fn show_form(request: HttpRequest, handle: ReqData<Handle>) -> PageResult {
    if !handle.needs_key() {
        return redirect_to("/");
    }
    let fields = Fields::from_query(&request)?;
    let next = fields.get("next").filter(|next| is_own_path(next)).unwrap_or_default();
    // A browser that follows a link of another site does not send the cookie (SameSite=Strict). The page opens the
    // path again, and then it does.
    let site = request.headers().get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    let comes_from_elsewhere =
        !next.is_empty() && matches!(site, Some(b"cross-site" | b"same-site"));
    Ok(render_with_status(
        StatusCode::OK,
        &LoginPage { comes_from_elsewhere, ..LoginPage::new(next) },
    ))
}

async fn sign_in(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    let fields = form::read_small(&request, body, &handle, MAX_FORM_BYTES).await?;
    if !handle.needs_key() {
        return redirect_to("/");
    }
    let origin = origin_of(&request, &handle);
    let client = origin.client_ip.map(|ip| ip.to_string());
    let (now, failed) = (handle.now(), handle.keyring().failed_sign_ins());
    let next = fields.get("next").filter(|next| is_own_path(next)).unwrap_or_default();
    let page = LoginPage::new(next);
    let Ok(entry) = handle.keyring().find(fields.trimmed("key").unwrap_or_default(), now) else {
        // Only keys that are not valid: nobody can keep the owner of a valid one from signing in.
        if let Some(wait) = failed.wait(origin.client_ip, now) {
            return Ok(too_many(page, wait));
        }
        failed.record(origin.client_ip, now);
        tracing::warn!(target: "longshore::audit", client, "sign-in refused");
        return Ok(page.refused(StatusCode::UNAUTHORIZED, "This key is not valid."));
    };
    let handle = handle.acting_for(entry.principal().clone());
    let may = Permissions::of(&handle);
    let Some(home) = may.home() else {
        let why = "This key is valid, but no page is open to it: the pages need a key with the scope \
            read, submit or admin.";
        return Ok(page.refused(StatusCode::FORBIDDEN, why));
    };
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let next = if may.continue_to(path) { next } else { home };
    let (key, key_name) = (entry.id().to_string(), entry.name());
    tracing::info!(target: "longshore::audit", key, key_name = key_name.as_str(), client, "signed in");
    let token = handle.session_token().token;
    Ok(redirect_with_cookie(next, &token, SESSION, origin.scheme == "https"))
}

async fn sign_out(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read_small(&request, body, &handle, MAX_FORM_BYTES).await?;
    let is_secure = origin_of(&request, &handle).scheme == "https";
    let next = if handle.needs_key() { LOGIN } else { "/" };
    Ok(redirect_with_cookie(next, "", Duration::ZERO, is_secure))
}

fn too_many(page: LoginPage<'_>, wait: Duration) -> HttpResponse {
    let secs = wait.as_secs() + 1;
    let why = format!("Too many keys were not valid. Try again in {secs} seconds.");
    let mut response = page.refused(StatusCode::TOO_MANY_REQUESTS, why);
    response.headers_mut().insert(RETRY_AFTER, secs.into());
    response
}

/// Redirects to a page, and sets the cookie of the session (RFC 6265). No script can read it, and the browser sends
/// it only with requests of pages of this server.
fn redirect_with_cookie(
    path: &str,
    token: &str,
    valid_for: Duration,
    is_secure: bool,
) -> HttpResponse {
    let secure = if is_secure { "; Secure" } else { "" };
    let secs = valid_for.as_secs();
    let cookie = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}"
    );
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .insert_header((SET_COOKIE, cookie))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

/// Returns whether a text is a path of this server, and not an address that a browser would look for elsewhere:
/// it takes `//` and `/\` for the start of a host name, and ignores tabs and line breaks in between.
fn is_own_path(next: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let starts_well = next.starts_with('/') && !next.starts_with("//");
    starts_well && next.len() <= MAX_NEXT_BYTES && next.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_accepted() {
        for path in ["/", "/jobs/7", "/jobs?state=failed&tag=a%20b", "/jobs#x", "/a//b"] {
            assert!(is_own_path(path), "{path}");
        }
        for path in [
            "",
            "jobs",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/jobs\r\nSet-Cookie: a=b",
            "/jobs\u{0}",
            "/é",
        ] {
            assert!(!is_own_path(path), "{path:?}");
        }
        assert!(!is_own_path(&format!("/{}", "a".repeat(MAX_NEXT_BYTES))));
    }
}
