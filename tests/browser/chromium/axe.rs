//! Checks with axe-core, an accessibility checker that runs inside the page.
//!
//! `axe.min.js` is axe-core 4.14.1 by Deque Systems, unmodified, under the Mozilla Public License
//! 2.0 (<http://mozilla.org/MPL/2.0/>). It is used by tests only and is not part of the program.

use serde_json::{Value, json};

use crate::chromium::page::Page;

const AXE: &str = include_str!("axe.min.js");

/// Rules to check: the Web Content Accessibility Guidelines up to level AA, and best practices.
const TAGS: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// Returns one line for each violation on the page, with the rule and the element.
pub(crate) fn violations(page: &Page) -> Vec<String> {
    // The script is injected once per page.
    if page.value("window.axe === undefined") == true {
        page.run(AXE, &json!([]));
    }
    let script = "const options = {runOnly: arguments[0], resultTypes: ['violations', 'incomplete']};
        return axe.run(document, options)
            .then(({violations, incomplete, passes}) => ({
                // axe reports a duplicate id only as incomplete.
                violations: violations.concat(incomplete.filter(({id}) => id === 'duplicate-id-aria')),
                passes: passes.map((rule) => rule.id)}))";
    let report = page.run(script, &json!([TAGS]));
    let rules = report["violations"].as_array().unwrap_or_else(|| panic!("no report: {report}"));
    let passes = report["passes"].as_array().map_or(0, Vec::len);
    assert!(passes > 5, "axe has checked only {passes} rules");
    rules.iter().flat_map(lines).collect()
}

/// Returns one line for each element that violates a rule.
fn lines(rule: &Value) -> Vec<String> {
    let nodes = rule["nodes"].as_array().unwrap().iter();
    let line = |node: &Value| {
        let why = node["failureSummary"].as_str().unwrap_or_default().replace('\n', " ");
        format!("{}: {} {}: {why}", rule["id"], node["target"], node["html"])
    };
    nodes.map(line).collect()
}
