//! `/keys`: the API keys, with a form to create one and a button to revoke each.

mod key_form;

use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, Resource};
use askama::Template;

use crate::auth::api_key::{ApiKey, can_make_keys};
use crate::auth::key_id::KeyId;
use crate::job::Timestamp;
use crate::pages::access::permissions::Permissions;
use crate::pages::forms::form;
use crate::pages::parts::layout::{Layout, NavItem};
use crate::pages::parts::time::RelativeTime;
use crate::pages::response::error_page::PageError;
use crate::pages::response::render::render_with_status;
use crate::pages::response::resource::{form_resource, form_route, page_resource, path_id};
use crate::pages::response::{PageResult, redirect_to};
use crate::server::{CreatedKey, Error, Handle};
use key_form::KeyForm;

/// Maximum size of the forms, in bytes.
const MAX_FORM_BYTES: usize = 16 << 10;

pub(crate) fn resource() -> Resource {
    page_resource("/keys", list).route(form_route(create))
}

pub(crate) fn revoke() -> Resource {
    form_resource("/keys/{id}/revoke", revoke_key)
}

/// An API key as a row.
struct KeyRow {
    id: KeyId,
    name: String,
    scopes: String,
    queues: String,
    created: RelativeTime,
    last_used: Option<RelativeTime>,
    expires: Option<RelativeTime>,
    state: &'static str,
    is_valid: bool,
    /// Whether the user has signed in with the key.
    is_own: bool,
    /// Whether no other key can create keys.
    is_last_admin: bool,
}

impl KeyRow {
    fn new(key: &ApiKey, keys: &[ApiKey], own: Option<KeyId>, now: Timestamp) -> Self {
        let relative = |at| RelativeTime::new(at, now);
        let queues: Vec<&str> = key.queues.iter().map(|pattern| pattern.as_str()).collect();
        let is_valid = key.is_valid_at(now);
        let others = keys.iter().filter(|other| other.id != key.id);
        Self {
            id: key.id,
            name: key.name.to_string(),
            scopes: key.scopes.to_string(),
            queues: if queues.is_empty() { "all".into() } else { queues.join(", ") },
            created: relative(key.created_at),
            last_used: key.last_used_at.map(relative),
            expires: key.expires_at.map(relative),
            state: match key.revoked_at {
                Some(_) => "revoked",
                None if is_valid => "valid",
                None => "expired",
            },
            is_valid,
            is_own: own == Some(key.id),
            is_last_admin: key.is_unbound_admin() && !can_make_keys(others, now),
        }
    }
}

/// A key that was just created.
struct NewSecret {
    name: String,
    secret: String,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    layout: Layout,
    keys: Vec<KeyRow>,
    form: KeyForm,
    created: Option<NewSecret>,
    /// Whether no key is needed yet.
    is_keyless: bool,
    /// Whether the last key that could create others was just revoked.
    is_locked_out: bool,
}

impl KeysPage {
    async fn read(handle: &Handle) -> Result<Self, Error> {
        let (mut keys, now) = (handle.keys().await?, handle.now());
        // Those that are valid first, and the latest of them first.
        keys.sort_by_key(|key| (!key.is_valid_at(now), std::cmp::Reverse(key.id)));
        let own = handle.principal().key;
        Ok(Self {
            layout: Layout::fixed(Permissions::of(handle), "Keys", NavItem::Keys),
            keys: keys.iter().map(|key| KeyRow::new(key, &keys, own, now)).collect(),
            form: KeyForm::default(),
            created: None,
            is_keyless: !handle.needs_key(),
            is_locked_out: false,
        })
    }
}

async fn list(handle: ReqData<Handle>) -> PageResult {
    Ok(render_with_status(StatusCode::OK, &KeysPage::read(&handle).await?))
}

/// Creates a key. The answer is the only page that shows its secret.
async fn create(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    let fields = form::read_small(&request, body, &handle, MAX_FORM_BYTES).await?;
    let was_keyless = !handle.needs_key();
    let (form, wanted) = KeyForm::parse(&fields, handle.now());
    let created = match wanted {
        Some(wanted) => handle.create_key(wanted).await,
        None => Err(Error::Invalid(Vec::new())),
    };
    match created {
        Ok(CreatedKey { key, secret }) => {
            let created =
                NewSecret { name: key.name.to_string(), secret: secret.reveal().to_owned() };
            let page = KeysPage::read(&handle).await?;
            let page = KeysPage { created: Some(created), is_keyless: was_keyless, ..page };
            Ok(render_with_status(StatusCode::CREATED, &page))
        }
        Err(error @ (Error::Invalid(_) | Error::Refused(_))) => {
            let page = KeysPage::read(&handle).await?;
            let status = PageError::from(error.clone()).status();
            let page = KeysPage { form: form.with_error(&error), ..page };
            Ok(render_with_status(status, &page))
        }
        Err(error) => Err(error.into()),
    }
}

async fn revoke_key(request: HttpRequest, body: Payload, handle: ReqData<Handle>) -> PageResult {
    form::read_small(&request, body, &handle, MAX_FORM_BYTES).await?;
    let revoked = handle.revoke_key(path_id(&request, "key")?).await?;
    let needs_admin = revoked.is_unbound_admin() && !handle.config().keyless_loopback;
    if needs_admin && !can_make_keys(&handle.keys().await?, handle.now()) {
        let page = KeysPage { is_locked_out: true, ..KeysPage::read(&handle).await? };
        return Ok(render_with_status(StatusCode::OK, &page));
    }
    redirect_to("/keys")
}
