//! The texts of the stylesheet, the script and the icon, compiled into the program, and their version.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::pages::parts::hex::hex;

/// The stylesheet that all pages share.
pub(crate) const STYLE: &str = concat!(
    include_str!("base.css"),
    include_str!("parts.css"),
    include_str!("charts.css"),
    include_str!("demo.css"),
);

/// The script that all pages share.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("live.js"),
    include_str!("forms.js"),
    include_str!("charts.js"),
    include_str!("demo.js"),
);

/// The icon that a browser shows next to the title.
pub(crate) const ICON: &str = include_str!("icon.svg");

/// A hash of the assets. Pages put it into the addresses of their assets, so that a browser never
/// combines a page with a cached asset of another release.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest =
        Sha256::new().chain_update(STYLE).chain_update(SCRIPT).chain_update(ICON).finalize();
    hex(&digest[..8])
});

/// Returns the hash of the assets.
pub(crate) fn version() -> &'static str {
    &VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_stay_small() {
        assert!(STYLE.len() < 24 << 10, "the stylesheet has {} bytes", STYLE.len());
        assert!(SCRIPT.len() < 32 << 10, "the script has {} bytes", SCRIPT.len());
    }
}
