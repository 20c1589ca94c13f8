//! Drawing: the view as it is, onto whatever space there is.

mod footer;
mod grid;
mod header;
mod jobs;
mod load;
mod queues;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};

use super::view::View;
use crate::cli::output::Colour;

/// The height of the lanes and charts: four lanes and a border.
const LOAD_HEIGHT: u16 = 6;
/// Below this height the lanes and charts are left out, so that there is room for what can be selected.
const ROOMY: u16 = 22;

/// Which colours there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    has_colour: bool,
}

impl Palette {
    /// All colours, or none where they are not wanted.
    pub(super) fn new(has_colour: bool) -> Self {
        Self { has_colour }
    }

    fn style(self, colour: Colour) -> Style {
        let of = |colour| if self.has_colour { Style::new().fg(colour) } else { Style::new() };
        match colour {
            Colour::Red => of(Color::Red),
            Colour::Green => of(Color::Green),
            Colour::Yellow => of(Color::Yellow),
            Colour::Dim => Style::new().add_modifier(Modifier::DIM),
        }
    }
}

/// Draws everything.
pub(super) fn whole(frame: &mut Frame, view: &View, palette: &Palette) {
    let load = if frame.area().height < ROOMY { 0 } else { LOAD_HEIGHT };
    // Two for the border and one for the names of the columns; jobs have half of what is left.
    let wanted = u16::try_from(view.queues().len()).unwrap_or(u16::MAX).saturating_add(3).max(4);
    let most = (frame.area().height.saturating_sub(load + 3) / 2).max(4);
    let [top, middle, queues, jobs, bottom] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(load),
        Constraint::Length(wanted.min(most)),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    header::draw(frame, top, view, palette);
    if let Some(look) = &view.look {
        load::draw(frame, middle, look, palette);
    }
    queues::draw(frame, queues, view, palette);
    jobs::draw(frame, jobs, view, palette);
    footer::draw(frame, bottom, view, palette);
    if view.is_help {
        footer::draw_help(frame);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::*;
    use crate::cli::top::feed::News;
    use crate::cli::top::look::tests::failed;
    use crate::cli::top::view::tests::view;

    /// What is on a screen of this size.
    fn screen(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| whole(frame, view, &Palette::new(true))).unwrap();
        let cells = terminal.backend().buffer().content().chunks(usize::from(width));
        cells.map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    fn line<'a>(screen: &'a [String], part: &str) -> &'a str {
        let found = screen.iter().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part} is missing in\n{}", screen.join("\n")))
    }

    #[test]
    fn everything_is_on_a_screen_of_common_size() {
        let screen = screen(&view(), 120, 40);
        for part in [
            "http://127.0.0.1:7373",
            "12:00:55",
            "in 6.0/s",
            "out 3.1/s",
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
        assert!(line(&screen, " 18 ").contains("asked to stop"));
    }

    #[test]
    fn failed_jobs_tell_why_on_one_line() {
        let mut view = view();
        view.press(KeyCode::Char('f').into());
        view.hear(News::Look(Ok(Box::new(failed()))));
        let screen = screen(&view, 100, 30);
        line(&screen, "Failed (2)");
        let job = line(&screen, "timeout: too slow");
        assert!(job.contains(" 11 ") && job.contains("30s") && job.contains("> "), "{job}");
    }

    #[test]
    fn a_server_that_is_away_is_told_and_what_was_there_stays() {
        let mut view = view();
        view.hear(News::Look(Err("cannot reach it".into())));
        let screen = screen(&view, 100, 30);
        assert!(line(&screen, "cannot reach it").contains("as it was at 12:00:55"));
        line(&screen, "Queues (2)");
        let mut new = View::new("http://a");
        new.hear(News::Look(Err("cannot reach it".into())));
        line(&super::tests::screen(&new, 100, 30), "cannot reach it");
    }

    #[test]
    fn a_question_and_the_help_are_shown() {
        let mut view = view();
        view.press(KeyCode::Tab.into());
        view.press(KeyCode::Char('c').into());
        line(&screen(&view, 80, 24), "Cancel job 17?");
        view.press(KeyCode::Char('n').into());
        view.press(KeyCode::Char('?').into());
        line(&screen(&view, 80, 24), "pause the queue");
    }

    #[test]
    fn a_paused_queue_says_so() {
        let mut view = view();
        if let Some(look) = &mut view.look {
            look.queues[0].settings.paused = true;
        }
        assert!(line(&screen(&view, 100, 30), " bulk ").contains("paused"));
    }

    #[test]
    fn a_number_is_whole_or_not_there() {
        let mut view = view();
        if let Some(look) = &mut view.look {
            look.queues[0].jobs.queued = 1_234_567;
            look.queues[0].settings.paused = true;
        }
        for width in (30..130).step_by(6) {
            let screen = screen(&view, width, 24);
            let bulk = line(&screen, " bulk ");
            assert!(bulk.contains(" 1234567 "), "at {width}: {bulk}");
            let names = line(&screen, " NAME ").split_whitespace();
            for name in names.filter(|name| name.chars().all(|letter| letter.is_ascii_uppercase()))
            {
                let known =
                    ["NAME", "QUEUED", "RUNNING", "LATER", "FAILED", "OLDEST", "MAX", "RATE"];
                assert!(known.contains(&name), "at {width}: {name}");
            }
        }
        let screen = screen(&view, 80, 24);
        assert!(line(&screen, " bulk ").contains("paused"), "{}", screen.join("\n"));
    }

    #[test]
    fn every_size_can_be_drawn_on() {
        let mut view = view();
        for is_help in [false, true] {
            view.is_help = is_help;
            for (width, height) in
                (1..60).flat_map(|size| [(size, size), (3 * size, size), (size, 9)])
            {
                screen(&view, width, height);
            }
        }
    }
}
