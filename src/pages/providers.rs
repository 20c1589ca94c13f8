//! `/providers`: the list of providers with their limits and their state, sorted by name.

use actix_web::Resource;
use actix_web::web::ReqData;
use askama::Template;

use crate::pages::access::permissions::Permissions;
use crate::pages::parts::layout::{FAST_POLL_MS, Layout, NavItem};
use crate::pages::parts::provider_row::ProviderRow;
use crate::pages::response::resource::page_resource;
use crate::pages::response::{PageResult, render};
use crate::server::Handle;

pub(super) fn resource() -> Resource {
    page_resource("/providers", list)
}

#[derive(Template)]
#[template(path = "providers.html")]
struct ProvidersPage {
    layout: Layout,
    providers: Vec<ProviderRow>,
}

async fn list(handle: ReqData<Handle>) -> PageResult {
    let (providers, now) = (handle.providers().await?, handle.now());
    render(&ProvidersPage {
        layout: Layout::live(
            Permissions::of(&handle),
            "Providers",
            NavItem::Providers,
            FAST_POLL_MS,
        ),
        providers: providers.iter().map(|provider| ProviderRow::new(provider, now)).collect(),
    })
}
