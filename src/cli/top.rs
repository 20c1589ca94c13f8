//! `longshore top`: shows a live view in the terminal.

mod action;
mod draw;
mod feed;
mod keys;
mod notice;
mod selection;
mod snapshot;
mod update;
mod view;

use std::io::{self, IsTerminal};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::Event;
use tokio::sync::mpsc;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::use_colour;
use crate::cli::server::signal::StopSignals;
use crate::cli::target::Target;
use action::UserAction;
use draw::palette::Palette;
use feed::Feed;
use view::View;

/// Maximum number of keys, and of updates from the server, that wait to be processed.
const QUEUE_LEN: usize = 64;

/// Arguments of `longshore top`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Up and Down move the selection. Tab switches between queues and jobs, f between running and failed
jobs, and w between running and queued jobs; below these is what the selected one waits for. p
pauses or resumes the selected queue. c cancels the selected job after a confirmation, and r runs
the selected failed job again. ? shows all keys, and q quits.

Examples:
  longshore top
  longshore top --url http://127.0.0.1:7374")]
pub(super) struct TopArgs {
    #[command(flatten)]
    pub(super) target: Target,
}

/// Shows the live view until the user or a signal ends it.
pub(super) async fn run(args: TopArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    if output.json || !io::stdout().is_terminal() {
        let why = "top needs a terminal; programs can use 'longshore queues --json' and \
                   'longshore list --json'";
        return Err(CliError::Usage(why.into()));
    }
    let signals = StopSignals::listen().map_err(CliError::io("cannot listen for signals"))?;
    let mut terminal = ratatui::try_init().map_err(CliError::io("cannot draw on the terminal"))?;
    // From here on, a panic restores the terminal before its message is printed.
    let shown = show(&mut terminal, client, signals).await;
    let restored = ratatui::try_restore().map_err(CliError::io("cannot restore the terminal"));
    shown.and(restored)
}

/// Draws the view and processes keys, signals and updates until the user quits.
async fn show(
    terminal: &mut DefaultTerminal,
    client: Client,
    mut signals: StopSignals,
) -> Result<(), CliError> {
    let palette = Palette::new(use_colour(&io::stdout()));
    let mut view = View::new(client.base_url());
    let mut keys = keys::listen(QUEUE_LEN);
    let (sender, mut updates) = mpsc::channel(QUEUE_LEN);
    let feed = Feed::start(client, sender);
    loop {
        let drawn = terminal.draw(|frame| draw::draw_view(frame, &view, &palette));
        drawn.map_err(CliError::output)?;
        let action = tokio::select! {
            () = signals.next() => Some(UserAction::Quit),
            Some(update) = updates.recv() => {
                view.apply(update);
                None
            }
            key = keys.recv() => match key {
                Some(Ok(Event::Key(key))) => view.press(key),
                // Other events, such as a new size, only cause the view to be drawn again.
                Some(Ok(_)) => None,
                Some(Err(error)) => return Err(CliError::io("cannot read keys")(error)),
                None => Some(UserAction::Quit),
            },
        };
        feed.show(view.list(), view.selected_job().map(|job| job.id));
        match action {
            Some(UserAction::Quit) => return Ok(()),
            Some(action) => feed.act(action),
            None => {}
        }
    }
}
