//! Draws the view on a terminal of any size.

mod footer;
mod grid;
mod header;
mod job_detail;
mod jobs;
mod load;
pub(super) mod palette;
mod queues;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};

use super::view::View;
use palette::Palette;

/// Height of the lanes and charts: four lanes and a border.
const LOAD_HEIGHT: u16 = 6;
/// Minimum height of the terminal at which the lanes and charts are shown. With fewer lines the
/// tables need the space.
const MIN_HEIGHT_WITH_LOAD: u16 = 22;

/// Draws the whole view.
pub(super) fn draw_view(frame: &mut Frame, view: &View, palette: &Palette) {
    let load = if frame.area().height < MIN_HEIGHT_WITH_LOAD { 0 } else { LOAD_HEIGHT };
    // Two lines for the border and one for the names of the columns. The queues get at most half of
    // the remaining height, so that the jobs get the other half.
    let wanted = u16::try_from(view.queues().len()).unwrap_or(u16::MAX).saturating_add(3).max(4);
    let max_height = (frame.area().height.saturating_sub(load + 3) / 2).max(4);
    let detail = job_detail::height(view, frame.area());
    let [top, middle, queues, jobs, below, bottom] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(load),
        Constraint::Length(wanted.min(max_height)),
        Constraint::Min(3),
        Constraint::Length(detail),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    header::draw(frame, top, view, palette);
    if let Some(snapshot) = &view.snapshot {
        load::draw(frame, middle, snapshot, palette);
    }
    queues::draw(frame, queues, view, palette);
    jobs::draw(frame, jobs, view, palette);
    job_detail::draw(frame, below, view, palette);
    footer::draw(frame, bottom, view, palette);
    if view.is_help_open {
        footer::draw_help(frame);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::*;
    use crate::cli::top::snapshot::tests::{failed_snapshot, queued_snapshot};
    use crate::cli::top::snapshot::{Snapshot, WaitingJob};
    use crate::cli::top::update::Update;
    use crate::cli::top::view::tests::view;
    use crate::job::{JobError, JobId};

    /// Returns the lines of a screen of this size.
    fn screen(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw_view(frame, view, &Palette::new(true))).unwrap();
        let cells = terminal.backend().buffer().content().chunks(usize::from(width));
        cells.map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    /// Returns the first line that contains a text.
    fn line<'a>(screen: &'a [String], part: &str) -> &'a str {
        let found = screen.iter().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part} is missing in\n{}", screen.join("\n")))
    }

    #[test]
    fn a_screen_of_120_by_40_shows_everything() {
        let screen = screen(&view(), 120, 40);
        for part in [
            "http://127.0.0.1:7373",
            "12:00:55",
            "submitted 7.0/s",
            "finished 3.6/s",
            "start p50 3ms p99 1.24s",
            "run p50 - p99 -",
            "16/64",
            "remote",
            "Queues (2)",
            "Running (4)",
            "? help",
        ] {
            line(&screen, part);
        }
        let mail = line(&screen, " mail  ");
        assert!(mail.contains("42s"), "{mail}");
        let job = line(&screen, " 17 ");
        for part in ["chat", "mail", "1/5", "54s", "42 %", "page 5 of 12"] {
            assert!(job.contains(part), "{part} is missing in {job}");
        }
        assert!(line(&screen, " 18 ").contains("cancel requested"));
    }

    #[test]
    fn a_failed_job_shows_its_error_on_one_line() {
        let mut view = view();
        view.press(KeyCode::Char('f').into());
        view.apply(Update::Snapshot(Ok(Box::new(failed_snapshot()))));
        let screen = screen(&view, 100, 30);
        line(&screen, "Failed (2)");
        let job = line(&screen, "timeout: too slow");
        assert!(job.contains(" 11 ") && job.contains("30s") && job.contains("> "), "{job}");
    }

    #[test]
    fn the_whole_error_of_the_selected_job_is_shown_below_the_tables() {
        let mut view = view();
        let mut failed = failed_snapshot();
        let message = format!("the server answered 503: {}the end", "word ".repeat(30));
        failed.jobs[0].error = Some(JobError::new("http_status", message));
        view.press(KeyCode::Char('f').into());
        view.apply(Update::Snapshot(Ok(Box::new(failed))));
        let shown = screen(&view, 100, 30);
        let first = line(&shown, "job 11, last error: ");
        assert!(first.contains("http_status: the server answered 503: word"), "{first}");
        line(&shown, "word the end");
        assert!(line(&shown, "? help").contains("quit"));
        // A low terminal keeps its lines for the tables.
        assert!(!screen(&view, 100, 17).concat().contains("job 11, last error"));
    }

    #[test]
    fn what_the_selected_queued_job_waits_for_is_shown_below_the_tables() {
        let mut view = view();
        view.press(KeyCode::Char('w').into());
        let reason = "provider demo runs as many calls as its max_running allows: 5".to_owned();
        let waiting = |id| Some(WaitingJob { id: JobId(id), reason: reason.clone() });
        let queued = Snapshot { waiting: waiting(21), ..queued_snapshot() };
        view.apply(Update::Snapshot(Ok(Box::new(queued))));
        let shown = screen(&view, 100, 30);
        line(&shown, "Queued (6)");
        assert!(line(&shown, " 21 ").contains("55s"));
        line(
            &shown,
            "job 21, waiting: provider demo runs as many calls as its max_running allows: 5",
        );
        // The reason of another job is not shown for this one.
        view.press(KeyCode::Down.into());
        assert!(!screen(&view, 100, 30).concat().contains("waiting: 5"));
    }

    #[test]
    fn an_outage_is_shown_and_the_last_snapshot_stays() {
        let mut view = view();
        view.apply(Update::Snapshot(Err("cannot reach it".into())));
        let screen = screen(&view, 100, 30);
        assert!(line(&screen, "cannot reach it").contains("last update at 12:00:55"));
        line(&screen, "Queues (2)");
        let mut new = View::new("http://a");
        new.apply(Update::Snapshot(Err("cannot reach it".into())));
        line(&super::tests::screen(&new, 100, 30), "cannot reach it");
    }

    #[test]
    fn the_confirmation_and_the_help_are_shown() {
        let mut view = view();
        view.press(KeyCode::Tab.into());
        view.press(KeyCode::Char('c').into());
        line(&screen(&view, 80, 24), "Cancel job 17?");
        view.press(KeyCode::Char('n').into());
        view.press(KeyCode::Char('?').into());
        line(&screen(&view, 80, 24), "pause the queue");
    }

    #[test]
    fn a_paused_queue_is_marked() {
        let mut view = view();
        if let Some(snapshot) = &mut view.snapshot {
            snapshot.queues[0].settings.paused = true;
        }
        assert!(line(&screen(&view, 100, 30), " bulk ").contains("paused"));
    }

    #[test]
    fn a_number_is_shown_in_full_or_not_at_all() {
        let mut view = view();
        if let Some(snapshot) = &mut view.snapshot {
            snapshot.queues[0].jobs.queued = 1_234_567;
            snapshot.queues[0].settings.paused = true;
        }
        for width in (30..130).step_by(6) {
            let screen = screen(&view, width, 24);
            let bulk = line(&screen, " bulk ");
            assert!(bulk.contains(" 1234567 "), "at {width}: {bulk}");
            let names = line(&screen, " NAME ").split_whitespace();
            for name in names.filter(|name| name.chars().all(|c| c.is_ascii_uppercase())) {
                let known =
                    ["NAME", "QUEUED", "RUNNING", "SCHEDULED", "FAILED", "OLDEST", "MAX", "RATE"];
                assert!(known.contains(&name), "at {width}: {name}");
            }
        }
        let screen = screen(&view, 80, 24);
        assert!(line(&screen, " bulk ").contains("paused"), "{}", screen.join("\n"));
    }

    #[test]
    fn a_terminal_of_any_size_can_be_drawn_on() {
        let mut view = view();
        for is_help_open in [false, true] {
            view.is_help_open = is_help_open;
            for (width, height) in
                (1..60).flat_map(|size| [(size, size), (3 * size, size), (size, 9)])
            {
                screen(&view, width, height);
            }
        }
    }
}
