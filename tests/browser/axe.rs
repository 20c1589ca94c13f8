//! What axe-core finds: an accessibility checker that runs inside the page.
//!
//! `axe.min.js` is axe-core 4.14.1 by Deque Systems, as it is published, under the Mozilla Public
//! License 2.0 (<http://mozilla.org/MPL/2.0/>). It is for tests only and no part of the program.

use serde_json::{Value, json};

use crate::page::Page;

const AXE: &str = include_str!("axe.min.js");

/// Rules of the Web Content Accessibility Guidelines up to level AA, and what is good practice.
const TAGS: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// What breaks a rule on the page, a line each with the rule and the element.
pub(crate) fn violations(page: &Page) -> Vec<String> {
    // Once a page is enough.
    if page.value("window.axe === undefined") == true {
        page.run(AXE, &json!([]));
    }
    let script = "const options = {runOnly: arguments[0], resultTypes: ['violations', 'incomplete']};
        return axe.run(document, options)
            .then(({violations, incomplete, passes}) => ({
                // Of an id that is there twice, axe only says that it should be looked at.
                violations: violations.concat(incomplete.filter(({id}) => id === 'duplicate-id-aria')),
                passes: passes.map((rule) => rule.id)}))";
    let report = page.run(script, &json!([TAGS]));
    let rules = report["violations"].as_array().unwrap_or_else(|| panic!("no report: {report}"));
    let passes = report["passes"].as_array().map_or(0, Vec::len);
    assert!(passes > 5, "axe has looked at next to nothing: {passes} rules");
    rules.iter().flat_map(lines).collect()
}

/// A rule that is broken, with each element that breaks it.
fn lines(rule: &Value) -> Vec<String> {
    let nodes = rule["nodes"].as_array().unwrap().iter();
    let line = |node: &Value| {
        let why = node["failureSummary"].as_str().unwrap_or_default().replace('\n', " ");
        format!("{}: {} {}: {why}", rule["id"], node["target"], node["html"])
    };
    nodes.map(line).collect()
}
