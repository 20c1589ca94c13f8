//! A terminal of tmux, for what draws on a whole screen.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::driver::find_program;
use crate::kit::{LONG, skip};

/// A terminal with a shell in it, seen by a tmux server of its own. It ends when this is dropped.
pub(crate) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Opens one of this size; none where there is no tmux on this machine.
    pub(crate) fn open(width: u16, height: u16) -> Option<Self> {
        if find_program("tmux").is_none() {
            skip("it takes tmux");
            return None;
        }
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let (width, height) = (width.to_string(), height.to_string());
        // A bare shell: its prompt is known, and no file of the user's is read.
        let shell = "env -i PATH=\"$PATH\" TERM=\"$TERM\" LANG=C.UTF-8 PS1='$ ' /bin/sh";
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, shell]);
        terminal.wait_for("the shell is there", |screen| screen.starts_with('$'));
        Some(terminal)
    }

    /// Types a line and Enter.
    pub(crate) fn line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name for it.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Makes it larger or smaller.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// What stands on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// A property of the terminal, such as `alternate_on` or `cursor_flag`.
    pub(crate) fn property(&self, name: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    /// Waits until the screen shows something, and gives it.
    pub(crate) fn wait_for(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(began.elapsed() < LONG, "this did not come about: {what}\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn tmux(&self, args: &[impl AsRef<OsStr>]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.arg("-f").arg("/dev/null").arg("-S").arg(self.folder.path().join("tmux"));
        let output = tmux.args(args).stdin(Stdio::null()).env_remove("TMUX").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen\n{}--- end of the screen", self.screen());
        }
        self.tmux(&["kill-server"]);
    }
}
