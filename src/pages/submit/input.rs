//! A field of the form: what it is called, what stands in it, what is wrong with that.

use crate::job::problem::Problem;
use crate::pages::fields::Fields;

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Line,
    /// So many lines.
    Lines(u8),
    /// JSON, which the script checks as it is typed.
    Json,
    /// One of these: the value and what it is called.
    Choice(Vec<(String, String)>),
    Tick,
}

/// A field of the form.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: String,
    pub(super) control: Control,
    pub(super) value: String,
    pub(super) wrong: Vec<String>,
}

impl Input {
    pub(super) fn new(
        name: &'static str,
        label: &'static str,
        hint: impl Into<String>,
        control: Control,
    ) -> Self {
        let (hint, value, wrong) = (hint.into(), String::new(), Vec::new());
        Self { name, label, hint, control, value, wrong }
    }

    /// Whether it takes the whole width.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.control, Control::Lines(_) | Control::Json)
    }

    /// Whether this is its value.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.value == value
    }

    /// Puts in what was sent.
    pub(super) fn fill(&mut self, fields: &Fields) {
        if let Some(value) = fields.get(self.name) {
            self.value = value.to_owned();
        }
    }
}

/// Puts a problem to the field that it is about, and gives it back where there is none.
pub(super) fn place(
    problem: Problem,
    payload: &mut [Input],
    options: &mut [Input],
) -> Option<Problem> {
    let mut steps = problem.pointer.split('/').skip(1);
    let (first, second) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
    let (inputs, name) = match first {
        "payload" => (payload, if second == "messages" { "message" } else { second }),
        other => (options, other),
    };
    let is_json = inputs.iter().any(|input| input.name == "payload");
    let found = inputs.iter_mut().find(|input| input.name == name || is_json);
    let Some(input) = found else { return Some(problem) };
    let inner = problem.pointer.trim_start_matches("/payload");
    let told = match is_json && !inner.is_empty() {
        true => format!("{inner}: {}", problem.detail),
        false => problem.detail,
    };
    input.wrong.push(told);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(names: &[&'static str]) -> Vec<Input> {
        names.iter().map(|name| Input::new(name, "", "", Control::Line)).collect()
    }

    #[test]
    fn a_problem_stands_at_its_field() {
        let mut payload = inputs(&["url", "message"]);
        let mut options = inputs(&["queue", "tags"]);
        for (pointer, name) in [
            ("/payload/url", "url"),
            ("/payload/messages/0", "message"),
            ("/queue", "queue"),
            ("/tags/2", "tags"),
        ] {
            assert_eq!(place(Problem::new(pointer, "bad"), &mut payload, &mut options), None);
            let mut all = payload.iter().chain(&options);
            let input = all.find(|input| input.wrong == ["bad"]).unwrap();
            assert_eq!(input.name, name);
            payload.iter_mut().chain(&mut options).for_each(|input| input.wrong.clear());
        }
        let elsewhere = Problem::new("/payload/elsewhere", "bad");
        assert_eq!(place(elsewhere.clone(), &mut payload, &mut options), Some(elsewhere));
    }

    #[test]
    fn a_problem_inside_json_names_its_place() {
        let mut payload = inputs(&["payload"]);
        place(Problem::new("/payload/a/0", "bad"), &mut payload, &mut []);
        assert_eq!(payload[0].wrong, ["/a/0: bad"]);
    }
}
