//! The style of progress bars on stderr.

use indicatif::ProgressStyle;

/// Returns the style of a bar with this template of indicatif.
pub(crate) fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_invalid| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}
