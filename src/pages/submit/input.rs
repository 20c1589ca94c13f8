//! A field of the form: its label, its value and its errors.

use crate::job::problem::Problem;
use crate::pages::forms::fields::Fields;
use crate::pages::parts::json_view::MAX_SHOWN_BYTES;
use crate::pages::submit::indent::MAX_ADDED_BYTES;

/// Maximum size of a value that a form shows: a large value of a page, and its indentation.
const MAX_VALUE_BYTES: usize = 2 * MAX_SHOWN_BYTES + MAX_ADDED_BYTES;

/// The kind of HTML control of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// A text of one line.
    Line,
    /// A text of several lines, with the number of lines shown.
    Lines(u8),
    /// A JSON text that the script validates while it is typed.
    Json,
    /// A list to select from, as pairs of value and label.
    Choice(Vec<(String, String)>),
    /// A check box.
    CheckBox,
}

/// A field of the form.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: String,
    pub(super) control: Control,
    pub(super) value: String,
    pub(super) errors: Vec<String>,
}

impl Input {
    pub(super) fn new(
        name: &'static str,
        label: &'static str,
        hint: impl Into<String>,
        control: Control,
    ) -> Self {
        let (hint, value, errors) = (hint.into(), String::new(), Vec::new());
        Self { name, label, hint, control, value, errors }
    }

    /// Returns whether the field takes the full width of the form.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.control, Control::Lines(_) | Control::Json)
    }

    /// Returns whether the field has this value.
    pub(super) fn has_value(&self, value: &str) -> bool {
        self.value == value
    }

    /// Sets the value from the submitted fields. A value that is too large is not sent back.
    pub(super) fn fill(&mut self, fields: &Fields) {
        match fields.get(self.name) {
            Some(value) if value.len() > MAX_VALUE_BYTES => {
                let kib = value.len() >> 10;
                self.value.clear();
                self.errors.push(format!("{kib} KiB are not shown again; go back in the browser"));
            }
            Some(value) => value.clone_into(&mut self.value),
            None => {}
        }
    }
}

/// Adds a problem to the field that its JSON pointer names. Returns the problem if no field matches.
///
/// For example `/payload/url` belongs to the field `url`, and `/tags/2` to the field `tags`.
pub(super) fn assign(
    problem: Problem,
    payload: &mut [Input],
    options: &mut [Input],
) -> Option<Problem> {
    let mut segments = problem.pointer.split('/').skip(1);
    let (first, second) =
        (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let (inputs, name) = match first {
        "payload" => (payload, if second == "messages" { "message" } else { second }),
        other => (options, other),
    };
    let is_json = inputs.iter().any(|input| input.name == "payload");
    let found = inputs.iter_mut().find(|input| input.name == name || is_json);
    let Some(input) = found else { return Some(problem) };
    let inner = problem.pointer.trim_start_matches("/payload");
    let error = match is_json && !inner.is_empty() {
        true => format!("{inner}: {}", problem.detail),
        false => problem.detail,
    };
    input.errors.push(error);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(names: &[&'static str]) -> Vec<Input> {
        names.iter().map(|name| Input::new(name, "", "", Control::Line)).collect()
    }

    #[test]
    fn a_value_that_is_too_large_is_not_sent_back() {
        let mut input = inputs(&["message"]).remove(0);
        let mut fields = Fields::default();
        fields.set("message", "x".repeat(MAX_VALUE_BYTES));
        input.fill(&fields);
        assert_eq!((input.value.len(), input.errors.len()), (MAX_VALUE_BYTES, 0));
        fields.set("message", "x".repeat(MAX_VALUE_BYTES + 1));
        input.fill(&fields);
        assert_eq!((input.value.as_str(), input.errors.len()), ("", 1));
    }

    #[test]
    fn a_problem_is_assigned_to_its_field() {
        let mut payload = inputs(&["url", "message"]);
        let mut options = inputs(&["queue", "tags"]);
        for (pointer, name) in [
            ("/payload/url", "url"),
            ("/payload/messages/0", "message"),
            ("/queue", "queue"),
            ("/tags/2", "tags"),
        ] {
            assert_eq!(assign(Problem::new(pointer, "bad"), &mut payload, &mut options), None);
            let mut all = payload.iter().chain(&options);
            let input = all.find(|input| input.errors == ["bad"]).unwrap();
            assert_eq!(input.name, name);
            payload.iter_mut().chain(&mut options).for_each(|input| input.errors.clear());
        }
        let unknown = Problem::new("/payload/unknown", "bad");
        assert_eq!(assign(unknown.clone(), &mut payload, &mut options), Some(unknown));
    }

    #[test]
    fn a_problem_inside_json_keeps_its_pointer() {
        let mut payload = inputs(&["payload"]);
        assign(Problem::new("/payload/a/0", "bad"), &mut payload, &mut []);
        assert_eq!(payload[0].errors, ["/a/0: bad"]);
    }
}
