//! `longshore top`: a live view in the terminal.

mod draw;
mod feed;
mod keys;
mod look;
mod selection;
mod view;

use std::io::{self, IsTerminal};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::Event;
use tokio::sync::mpsc;

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::use_colour;
use crate::cli::signal::StopSignals;
use crate::cli::target::Target;
use draw::Palette;
use feed::Feed;
use view::{View, Wish};

/// How many keys or news may wait to be looked at.
const WAITING: usize = 64;

/// What to watch.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Up and down select, Tab changes between queues and jobs, f between running and failed jobs; p pauses or
resumes the queue, c cancels the job (and asks before), r runs it again; ? tells all keys, q ends.

Examples:
  longshore top
  longshore top --url http://127.0.0.1:7374")]
pub(super) struct TopArgs {
    #[command(flatten)]
    pub(super) target: Target,
}

/// Shows the live view until it is ended.
pub(super) async fn run(args: TopArgs) -> Result<(), CliError> {
    let (client, output) = args.target.open()?;
    if output.json || !io::stdout().is_terminal() {
        let why = "top draws on a terminal; for programs there are 'longshore queues --json' and \
                   'longshore list --json'";
        return Err(CliError::Usage(why.into()));
    }
    let signals = StopSignals::listen().map_err(CliError::io("cannot listen for signals"))?;
    let mut terminal = ratatui::try_init().map_err(CliError::io("cannot draw on the terminal"))?;
    // From here on a panic restores the terminal before it is told.
    let shown = show(&mut terminal, client, signals).await;
    let restored = ratatui::try_restore().map_err(CliError::io("cannot restore the terminal"));
    shown.and(restored)
}

async fn show(
    terminal: &mut DefaultTerminal,
    client: Client,
    mut signals: StopSignals,
) -> Result<(), CliError> {
    let palette = Palette::new(use_colour(&io::stdout()));
    let mut view = View::new(client.base_url());
    let mut keys = keys::listen(WAITING);
    let (sender, mut news) = mpsc::channel(WAITING);
    let feed = Feed::start(client, sender);
    loop {
        let drawn = terminal.draw(|frame| draw::whole(frame, &view, &palette));
        drawn.map_err(CliError::output)?;
        let wish = tokio::select! {
            () = signals.next() => Some(Wish::Quit),
            Some(news) = news.recv() => {
                view.hear(news);
                None
            }
            key = keys.recv() => match key {
                Some(Ok(Event::Key(key))) => view.press(key),
                // A new size has it drawn anew, whatever it is.
                Some(Ok(_)) => None,
                Some(Err(error)) => return Err(CliError::io("cannot read keys")(error)),
                None => Some(Wish::Quit),
            },
        };
        feed.show(view.list());
        match wish {
            Some(Wish::Quit) => return Ok(()),
            Some(wish) => feed.act(wish),
            None => {}
        }
    }
}
