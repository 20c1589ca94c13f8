//! The parts that all pages share: the title, the navigation and the refresh settings.

use crate::api::routes::pages::LOGIN;
use crate::pages::access::permissions::Permissions;
use crate::pages::assets::bundle::version;

/// Refresh interval in milliseconds of pages that change often.
pub(crate) const FAST_POLL_MS: u32 = 2_000;
/// Refresh interval in milliseconds of pages that seldom change, or whose events report most changes.
pub(crate) const SLOW_POLL_MS: u32 = 10_000;

/// Seconds after which a browser without script reloads a page.
pub(crate) const RELOAD_SECS: u32 = 5;
/// Seconds after which a browser without script reloads a page with inputs. Longer, because a reload
/// discards what the user selected or typed.
pub(crate) const SLOW_RELOAD_SECS: u32 = 30;

/// The entry of the navigation to which a page belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NavItem {
    Overview,
    Jobs,
    Queues,
    Providers,
    Batches,
    Submit,
    Demo,
    Keys,
    /// The page belongs to no entry.
    None,
}

/// A link of the navigation.
pub(crate) struct Link {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_current: bool,
}

/// The values of a page that `layout.html` renders.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) title: String,
    /// What the user may do.
    pub(crate) may: Permissions,
    nav_item: NavItem,
    /// Path of the event stream whose events make the script refresh the page.
    pub(crate) events: Option<String>,
    /// Refresh interval in milliseconds. `None` if the page is not refreshed.
    pub(crate) poll_ms: Option<u32>,
    /// Seconds after which a browser without script reloads the page.
    pub(crate) reload_secs: Option<u32>,
}

impl Layout {
    /// Returns the layout of a page that is not refreshed.
    pub(crate) fn fixed(may: Permissions, title: impl Into<String>, nav_item: NavItem) -> Self {
        Self { title: title.into(), may, nav_item, events: None, poll_ms: None, reload_secs: None }
    }

    /// Returns the layout of a page that is refreshed while it is open.
    pub(crate) fn live(
        may: Permissions,
        title: impl Into<String>,
        nav_item: NavItem,
        poll_ms: u32,
    ) -> Self {
        let fixed = Self::fixed(may, title, nav_item);
        Self { poll_ms: Some(poll_ms), reload_secs: Some(RELOAD_SECS), ..fixed }
    }

    /// Refreshes the page at each event of this stream as well.
    pub(crate) fn with_events(self, path: impl Into<String>) -> Self {
        Self { events: Some(path.into()), ..self }
    }

    /// Sets the seconds after which a browser without script reloads the page.
    pub(crate) fn with_reload(self, secs: u32) -> Self {
        Self { reload_secs: Some(secs), ..self }
    }

    /// Returns the first page of the user, or the page to sign in.
    pub(crate) fn home(&self) -> &'static str {
        self.may.home().unwrap_or(LOGIN)
    }

    /// Returns the links of the navigation: the pages that the user may open.
    pub(crate) fn links(&self) -> Vec<Link> {
        let link = |path, name, item| Link { path, name, is_current: self.nav_item == item };
        let links = [
            link("/", "Overview", NavItem::Overview),
            link("/jobs", "Jobs", NavItem::Jobs),
            link("/queues", "Queues", NavItem::Queues),
            link("/providers", "Providers", NavItem::Providers),
            link("/batches", "Batches", NavItem::Batches),
            link("/submit", "Submit", NavItem::Submit),
            link("/demo", "Demo", NavItem::Demo),
            link("/keys", "Keys", NavItem::Keys),
        ];
        links.into_iter().filter(|link| self.may.open(link.path)).collect()
    }

    /// Returns the version of the stylesheet and the script that this page needs.
    pub(crate) fn version(&self) -> &'static str {
        version()
    }
}
