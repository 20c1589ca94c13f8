//! The state of the screen and the effect of keys on it. It is pure: no drawing and no requests.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::UserAction;
use super::notice::Notice;
use super::selection::Selection;
use super::snapshot::{JobList, Snapshot};
use super::update::Update;
use crate::job::queue::Queue;
use crate::job::{Job, JobId, QueueName};

/// The part of the screen in which the arrow keys move the selection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    /// The table of queues.
    #[default]
    Queues,
    /// The table of jobs.
    Jobs,
}

/// The state of the screen.
#[derive(Debug)]
pub(super) struct View {
    /// URL of the server.
    pub(super) url: String,
    /// Latest snapshot; `None` until the first one arrives.
    pub(super) snapshot: Option<Snapshot>,
    /// Error of the latest attempt to read a snapshot, if it failed.
    pub(super) error: Option<String>,
    /// Part of the screen that has the focus.
    pub(super) pane: Pane,
    list: JobList,
    queue: Selection<QueueName>,
    job: Selection<JobId>,
    /// Job to cancel if the user confirms the prompt in the footer.
    pub(super) cancel_prompt: Option<JobId>,
    /// Message in the footer.
    pub(super) notice: Option<Notice>,
    /// Whether the help is shown.
    pub(super) is_help_open: bool,
}

impl View {
    /// Creates a view without a snapshot.
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            snapshot: None,
            error: None,
            pane: Pane::default(),
            list: JobList::default(),
            queue: Selection::default(),
            job: Selection::default(),
            cancel_prompt: None,
            notice: None,
            is_help_open: false,
        }
    }

    /// Returns the list of jobs that is shown.
    pub(super) fn list(&self) -> JobList {
        self.list
    }

    /// Returns the queues in the order of the server.
    pub(super) fn queues(&self) -> &[Queue] {
        self.snapshot.as_ref().map_or(&[], |snapshot| &snapshot.queues)
    }

    /// Returns the jobs of the list that is shown; empty until a snapshot with that list arrives.
    pub(super) fn jobs(&self) -> &[Job] {
        let snapshot = self.snapshot.as_ref().filter(|snapshot| snapshot.list == self.list);
        snapshot.map_or(&[], |snapshot| &snapshot.jobs)
    }

    /// Returns the index of the selected queue.
    pub(super) fn queue_index(&self) -> Option<usize> {
        self.queue.index()
    }

    /// Returns the index of the selected job.
    pub(super) fn job_index(&self) -> Option<usize> {
        self.job.index()
    }

    /// Returns the selected job.
    pub(super) fn selected_job(&self) -> Option<&Job> {
        self.jobs().get(self.job.index()?)
    }

    /// Applies an update from the server.
    pub(super) fn apply(&mut self, update: Update) {
        match update {
            Update::Snapshot(Ok(snapshot)) => {
                self.error = None;
                self.notice = self.notice.take().and_then(Notice::after_snapshot);
                self.snapshot = Some(*snapshot);
                self.move_by(Pane::Queues, 0);
                self.move_by(Pane::Jobs, 0);
            }
            Update::Snapshot(Err(error)) => self.error = Some(error),
            Update::ActionDone(Ok(text)) => self.notice = Some(Notice::new(text, false)),
            Update::ActionDone(Err(text)) => self.notice = Some(Notice::new(text, true)),
        }
    }

    /// Processes a key and returns the action that it requests, if any.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<UserAction> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        self.notice = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(UserAction::Quit);
        }
        if let Some(id) = self.cancel_prompt.take() {
            // Any other key means no.
            let is_confirmed = matches!(key.code, KeyCode::Char('y' | 'Y'));
            return is_confirmed.then_some(UserAction::Cancel(id));
        }
        if std::mem::take(&mut self.is_help_open) {
            return None;
        }
        self.press_in_pane(key.code)
    }

    /// Processes a key that is not an answer to a prompt and does not close the help.
    fn press_in_pane(&mut self, key: KeyCode) -> Option<UserAction> {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return Some(UserAction::Quit),
            KeyCode::Char('?' | 'h') => self.is_help_open = true,
            KeyCode::Tab | KeyCode::BackTab => {
                let other = if self.pane == Pane::Queues { Pane::Jobs } else { Pane::Queues };
                self.pane = other;
            }
            KeyCode::Up | KeyCode::Char('k') => self.move_by(self.pane, -1),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(self.pane, 1),
            KeyCode::PageUp => self.move_by(self.pane, -10),
            KeyCode::PageDown => self.move_by(self.pane, 10),
            KeyCode::Home => self.move_by(self.pane, isize::MIN),
            KeyCode::End => self.move_by(self.pane, isize::MAX),
            KeyCode::Char('f') => self.toggle_list(JobList::Failed),
            KeyCode::Char('w') => self.toggle_list(JobList::Queued),
            KeyCode::Char('p') => return self.toggle_paused(),
            KeyCode::Char('c') => self.prompt_cancel(),
            KeyCode::Char('r') => return self.retry(),
            _ => {}
        }
        None
    }

    /// Moves the selection of a pane; 0 steps only adapt it to the current rows.
    fn move_by(&mut self, pane: Pane, steps: isize) {
        match pane {
            Pane::Queues => {
                let names: Vec<_> = self.queues().iter().map(|queue| queue.name.clone()).collect();
                self.queue.move_by(steps, &names);
            }
            Pane::Jobs => {
                let ids: Vec<_> = self.jobs().iter().map(|job| job.id).collect();
                self.job.move_by(steps, &ids);
            }
        }
    }

    /// Switches to another list, or back to the running jobs.
    fn toggle_list(&mut self, other: JobList) {
        self.list = if self.list == other { JobList::Running } else { other };
        self.job = Selection::default();
        self.pane = Pane::Jobs;
        self.move_by(Pane::Jobs, 0);
    }

    /// Requests to pause the selected queue, or to resume it if it is paused.
    fn toggle_paused(&mut self) -> Option<UserAction> {
        let selected = self.queues().get(self.queue.index()?)?;
        Some(UserAction::SetPaused(selected.name.clone(), !selected.settings.paused))
    }

    /// Opens the prompt that asks whether to cancel the selected job.
    fn prompt_cancel(&mut self) {
        if !self.check_jobs_pane() {
            return;
        }
        match (self.list, self.selected_job()) {
            (JobList::Running | JobList::Queued, Some(job)) => self.cancel_prompt = Some(job.id),
            (JobList::Running, None) => self.show_notice("no job is running"),
            (JobList::Queued, None) => self.show_notice("no job is queued"),
            (JobList::Failed, _) => {
                self.show_notice("a failed job cannot be cancelled; press f to list running jobs")
            }
        }
    }

    /// Requests to run the selected failed job again.
    fn retry(&mut self) -> Option<UserAction> {
        if !self.check_jobs_pane() {
            return None;
        }
        match (self.list, self.selected_job()) {
            (JobList::Failed, Some(job)) => return Some(UserAction::Retry(job.id)),
            (JobList::Failed, None) => self.show_notice("there is no failed job"),
            (JobList::Running | JobList::Queued, _) => {
                self.show_notice("press f to list failed jobs, then r to retry one")
            }
        }
        None
    }

    /// Returns whether the jobs have the focus, so that the user sees which job a key applies to.
    /// If not, shows a notice.
    fn check_jobs_pane(&mut self) -> bool {
        let has_focus = self.pane == Pane::Jobs;
        if !has_focus {
            self.show_notice("press Tab to select a job first");
        }
        has_focus
    }

    /// Shows a notice that is not an error.
    fn show_notice(&mut self, text: &str) {
        self.notice = Some(Notice::new(text, false));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::top::snapshot::tests::{failed_snapshot, queued_snapshot, snapshot};

    /// Returns a view with a snapshot.
    pub(in crate::cli::top) fn view() -> View {
        let mut view = View::new("http://127.0.0.1:7373");
        view.apply(Update::Snapshot(Ok(Box::new(snapshot()))));
        view
    }

    /// Presses a key.
    fn press(view: &mut View, code: KeyCode) -> Option<UserAction> {
        view.press(code.into())
    }

    /// Presses the key of a letter.
    fn letter(view: &mut View, letter: char) -> Option<UserAction> {
        press(view, KeyCode::Char(letter))
    }

    #[test]
    fn the_selected_queue_is_paused_and_resumed() {
        let mut view = view();
        let bulk: QueueName = "bulk".parse().unwrap();
        assert_eq!(letter(&mut view, 'p'), Some(UserAction::SetPaused(bulk, true)));
        press(&mut view, KeyCode::Down);
        let mut paused = snapshot();
        paused.queues[1].settings.paused = true;
        view.apply(Update::Snapshot(Ok(Box::new(paused))));
        let mail: QueueName = "mail".parse().unwrap();
        assert_eq!(letter(&mut view, 'p'), Some(UserAction::SetPaused(mail, false)));
    }

    #[test]
    fn a_job_is_cancelled_only_after_confirmation() {
        let mut view = view();
        press(&mut view, KeyCode::Tab);
        press(&mut view, KeyCode::Down);
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!(view.cancel_prompt, Some(JobId(18)));
        assert_eq!(letter(&mut view, 'n'), None);
        assert_eq!(view.cancel_prompt, None);
        letter(&mut view, 'c');
        // The prompt is about the job that was selected then, whatever snapshot arrives meanwhile.
        let without_jobs = Snapshot { jobs: Vec::new(), ..snapshot() };
        view.apply(Update::Snapshot(Ok(Box::new(without_jobs))));
        assert_eq!(letter(&mut view, 'y'), Some(UserAction::Cancel(JobId(18))));
        assert_eq!(letter(&mut view, 'y'), None);
    }

    #[test]
    fn a_failed_job_is_run_again() {
        let mut view = view();
        press(&mut view, KeyCode::Tab);
        assert_eq!(letter(&mut view, 'r'), None);
        assert!(view.notice.is_some());
        letter(&mut view, 'f');
        assert_eq!((view.list(), view.jobs().len()), (JobList::Failed, 0));
        view.apply(Update::Snapshot(Ok(Box::new(failed_snapshot()))));
        assert_eq!(letter(&mut view, 'r'), Some(UserAction::Retry(JobId(11))));
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!(view.cancel_prompt, None);
    }

    #[test]
    fn no_key_acts_on_a_job_while_the_queues_have_the_focus() {
        let hint = Some("press Tab to select a job first");
        let notice = |view: &View| view.notice.as_ref().map(|notice| notice.text.clone());
        let mut view = view();
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!((view.cancel_prompt, notice(&view).as_deref()), (None, hint));
        letter(&mut view, 'f');
        view.apply(Update::Snapshot(Ok(Box::new(failed_snapshot()))));
        press(&mut view, KeyCode::Tab);
        assert_eq!((letter(&mut view, 'r'), notice(&view).as_deref()), (None, hint));
    }

    #[test]
    fn queued_jobs_can_be_listed_and_cancelled() {
        let notice = |view: &View| view.notice.as_ref().map(|notice| notice.text.clone());
        let mut view = view();
        letter(&mut view, 'w');
        assert_eq!((view.list(), view.jobs().len()), (JobList::Queued, 0));
        assert_eq!(
            (letter(&mut view, 'c'), notice(&view).as_deref()),
            (None, Some("no job is queued"))
        );
        view.apply(Update::Snapshot(Ok(Box::new(queued_snapshot()))));
        press(&mut view, KeyCode::Down);
        assert_eq!(view.selected_job().map(|job| job.id), Some(JobId(20)));
        letter(&mut view, 'c');
        assert_eq!(letter(&mut view, 'y'), Some(UserAction::Cancel(JobId(20))));
        letter(&mut view, 'f');
        assert_eq!(view.list(), JobList::Failed);
        letter(&mut view, 'w');
        letter(&mut view, 'w');
        assert_eq!(view.list(), JobList::Running);
    }

    #[test]
    fn the_last_snapshot_stays_on_the_screen_while_the_server_is_unreachable() {
        let mut view = view();
        view.apply(Update::Snapshot(Err("connection refused".into())));
        assert!(view.error.is_some() && view.queues().len() == 2);
        view.apply(Update::Snapshot(Ok(Box::new(snapshot()))));
        assert_eq!(view.error, None);
    }

    #[test]
    fn any_key_closes_the_help_and_ctrl_c_always_quits() {
        let mut view = view();
        letter(&mut view, '?');
        assert!(view.is_help_open);
        assert_eq!((letter(&mut view, 'q'), view.is_help_open), (None, false));
        press(&mut view, KeyCode::Tab);
        letter(&mut view, 'c');
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(ctrl_c), Some(UserAction::Quit));
        assert_eq!(letter(&mut view, 'q'), None, "the prompt is still open, and q means no");
        assert_eq!(letter(&mut view, 'q'), Some(UserAction::Quit));
    }
}
