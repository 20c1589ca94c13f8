//! What is on the screen, and what keys do to it. Pure: it neither draws nor asks.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::feed::News;
use super::look::{List, Look};
use super::selection::Selection;
use crate::job::queue::Queue;
use crate::job::{Job, JobId, QueueName};

/// The part of the screen that up and down move in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    /// The queues.
    #[default]
    Queues,
    /// The jobs below.
    Jobs,
}

/// Something that the keys ask for and the view cannot do by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// End.
    Quit,
    /// Pause a queue, or resume it.
    SetPaused(QueueName, bool),
    /// Cancel a job.
    Cancel(JobId),
    /// Run a job again.
    Retry(JobId),
}

/// A line about what just happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_bad: bool,
    /// How many more looks it stays for.
    looks_left: u8,
}

/// How many looks a notice stays for: some seconds.
const NOTICE_LOOKS: u8 = 5;

impl Notice {
    fn new(text: impl Into<String>, is_bad: bool) -> Self {
        Self { text: text.into(), is_bad, looks_left: NOTICE_LOOKS }
    }

    /// The same after one more look; none where that was the last.
    fn later(self) -> Option<Self> {
        let looks_left = self.looks_left.checked_sub(1)?;
        Some(Self { looks_left, ..self })
    }
}

/// What is on the screen.
#[derive(Debug)]
pub(super) struct View {
    /// Where the server is.
    pub(super) url: String,
    /// How it looked last.
    pub(super) look: Option<Look>,
    /// Why it does not look like anything just now.
    pub(super) trouble: Option<String>,
    pub(super) pane: Pane,
    list: List,
    queue: Selection<QueueName>,
    job: Selection<JobId>,
    /// The job that is to be cancelled, if that is meant.
    pub(super) question: Option<JobId>,
    pub(super) notice: Option<Notice>,
    /// Whether the keys are explained.
    pub(super) is_help: bool,
}

impl View {
    /// Nothing is known yet.
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            look: None,
            trouble: None,
            pane: Pane::default(),
            list: List::default(),
            queue: Selection::default(),
            job: Selection::default(),
            question: None,
            notice: None,
            is_help: false,
        }
    }

    /// Which jobs are shown.
    pub(super) fn list(&self) -> List {
        self.list
    }

    /// The queues, in their order.
    pub(super) fn queues(&self) -> &[Queue] {
        self.look.as_ref().map_or(&[], |look| &look.queues)
    }

    /// The jobs of the list that is shown, where they came already.
    pub(super) fn jobs(&self) -> &[Job] {
        self.look.as_ref().filter(|look| look.list == self.list).map_or(&[], |look| &look.jobs)
    }

    /// The place of the selected queue.
    pub(super) fn queue_index(&self) -> Option<usize> {
        self.queue.index()
    }

    /// The place of the selected job.
    pub(super) fn job_index(&self) -> Option<usize> {
        self.job.index()
    }

    /// Takes what came from the server.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Look(Ok(look)) => {
                self.trouble = None;
                self.notice = self.notice.take().and_then(Notice::later);
                self.look = Some(*look);
                self.move_by(Pane::Queues, 0);
                self.move_by(Pane::Jobs, 0);
            }
            News::Look(Err(why)) => self.trouble = Some(why),
            News::Done(Ok(text)) => self.notice = Some(Notice::new(text, false)),
            News::Done(Err(text)) => self.notice = Some(Notice::new(text, true)),
        }
    }

    /// Takes a key; what it asks for beyond the view is given back.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        self.notice = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Wish::Quit);
        }
        if let Some(id) = self.question.take() {
            // Whatever is no yes is a no.
            let is_meant = matches!(key.code, KeyCode::Char('y' | 'Y'));
            return is_meant.then_some(Wish::Cancel(id));
        }
        if std::mem::take(&mut self.is_help) {
            return None;
        }
        self.press_in_pane(key.code)
    }

    fn press_in_pane(&mut self, key: KeyCode) -> Option<Wish> {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
            KeyCode::Char('?' | 'h') => self.is_help = true,
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
            KeyCode::Char('f') => self.turn_list(),
            KeyCode::Char('p') => return self.pause(),
            KeyCode::Char('c') => self.ask_to_cancel(),
            KeyCode::Char('r') => return self.retry(),
            _ => {}
        }
        None
    }

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

    fn turn_list(&mut self) {
        self.list = if self.list == List::Running { List::Failed } else { List::Running };
        self.job = Selection::default();
        self.pane = Pane::Jobs;
        self.move_by(Pane::Jobs, 0);
    }

    fn pause(&mut self) -> Option<Wish> {
        let selected = self.queues().get(self.queue.index()?)?;
        Some(Wish::SetPaused(selected.name.clone(), !selected.settings.paused))
    }

    fn ask_to_cancel(&mut self) {
        if !self.is_in_jobs() {
            return;
        }
        match (self.list, self.job.index().and_then(|index| self.jobs().get(index))) {
            (List::Running, Some(job)) => self.question = Some(job.id),
            (List::Running, None) => self.remark("no job runs"),
            (List::Failed, _) => {
                self.remark("what has failed cannot be cancelled; f shows what runs")
            }
        }
    }

    fn retry(&mut self) -> Option<Wish> {
        if !self.is_in_jobs() {
            return None;
        }
        match (self.list, self.job.index().and_then(|index| self.jobs().get(index))) {
            (List::Failed, Some(job)) => return Some(Wish::Retry(job.id)),
            (List::Failed, None) => self.remark("no job has failed"),
            (List::Running, _) => self.remark("f shows the failed jobs, which r runs again"),
        }
        None
    }

    /// Whether keys that do something to a job have one that is seen to be selected; says where not.
    fn is_in_jobs(&mut self) -> bool {
        let is_in_jobs = self.pane == Pane::Jobs;
        if !is_in_jobs {
            self.remark("Tab goes to the jobs");
        }
        is_in_jobs
    }

    fn remark(&mut self, text: &str) {
        self.notice = Some(Notice::new(text, false));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::top::look::tests::{failed, look};

    /// A view of a server that is well.
    pub(in crate::cli::top) fn view() -> View {
        let mut view = View::new("http://127.0.0.1:7373");
        view.hear(News::Look(Ok(Box::new(look()))));
        view
    }

    fn press(view: &mut View, code: KeyCode) -> Option<Wish> {
        view.press(code.into())
    }

    fn letter(view: &mut View, letter: char) -> Option<Wish> {
        press(view, KeyCode::Char(letter))
    }

    #[test]
    fn a_queue_is_paused_and_resumed_where_it_is_selected() {
        let mut view = view();
        let bulk: QueueName = "bulk".parse().unwrap();
        assert_eq!(letter(&mut view, 'p'), Some(Wish::SetPaused(bulk, true)));
        press(&mut view, KeyCode::Down);
        let mut paused = look();
        paused.queues[1].settings.paused = true;
        view.hear(News::Look(Ok(Box::new(paused))));
        let mail: QueueName = "mail".parse().unwrap();
        assert_eq!(letter(&mut view, 'p'), Some(Wish::SetPaused(mail, false)));
    }

    #[test]
    fn a_job_is_cancelled_only_after_a_yes() {
        let mut view = view();
        press(&mut view, KeyCode::Tab);
        press(&mut view, KeyCode::Down);
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!(view.question, Some(JobId(18)));
        assert_eq!(letter(&mut view, 'n'), None);
        assert_eq!(view.question, None);
        letter(&mut view, 'c');
        // The question is about the job that was selected then, whatever comes meanwhile.
        view.hear(News::Look(Ok(Box::new(Look { jobs: Vec::new(), ..look() }))));
        assert_eq!(letter(&mut view, 'y'), Some(Wish::Cancel(JobId(18))));
        assert_eq!(letter(&mut view, 'y'), None);
    }

    #[test]
    fn a_job_that_failed_is_run_again() {
        let mut view = view();
        press(&mut view, KeyCode::Tab);
        assert_eq!(letter(&mut view, 'r'), None);
        assert!(view.notice.is_some());
        letter(&mut view, 'f');
        assert_eq!((view.list(), view.jobs().len()), (List::Failed, 0));
        view.hear(News::Look(Ok(Box::new(failed()))));
        assert_eq!(letter(&mut view, 'r'), Some(Wish::Retry(JobId(11))));
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!(view.question, None);
    }

    #[test]
    fn nothing_is_done_to_a_job_while_the_keys_move_among_the_queues() {
        let remark = Some("Tab goes to the jobs");
        let said = |view: &View| view.notice.as_ref().map(|notice| notice.text.clone());
        let mut view = view();
        assert_eq!(letter(&mut view, 'c'), None);
        assert_eq!((view.question, said(&view).as_deref()), (None, remark));
        letter(&mut view, 'f');
        view.hear(News::Look(Ok(Box::new(failed()))));
        press(&mut view, KeyCode::Tab);
        assert_eq!((letter(&mut view, 'r'), said(&view).as_deref()), (None, remark));
    }

    #[test]
    fn what_was_there_stays_on_the_screen_while_the_server_is_away() {
        let mut view = view();
        view.hear(News::Look(Err("connection refused".into())));
        assert!(view.trouble.is_some() && view.queues().len() == 2);
        view.hear(News::Look(Ok(Box::new(look()))));
        assert_eq!(view.trouble, None);
    }

    #[test]
    fn any_key_closes_the_help_and_ctrl_c_ends_from_everywhere() {
        let mut view = view();
        letter(&mut view, '?');
        assert!(view.is_help);
        assert_eq!((letter(&mut view, 'q'), view.is_help), (None, false));
        press(&mut view, KeyCode::Tab);
        letter(&mut view, 'c');
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(ctrl_c), Some(Wish::Quit));
        assert_eq!(letter(&mut view, 'q'), None, "the question is still there, and this is a no");
        assert_eq!(letter(&mut view, 'q'), Some(Wish::Quit));
    }
}
