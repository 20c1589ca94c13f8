//! A terminal in tmux, for tests of full-screen programs.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::chromium::driver::find_program;
use crate::kit::{TEST_TIMEOUT, skip};

/// A terminal with a shell, in a tmux server of its own. Dropping it ends the server.
pub(crate) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Opens a terminal of this size. Returns `None` if tmux is not installed.
    pub(crate) fn open(width: u16, height: u16) -> Option<Self> {
        if find_program("tmux").is_none() {
            skip("tmux is not installed");
            return None;
        }
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let (width, height) = (width.to_string(), height.to_string());
        // A shell with a known prompt that reads no files of the user.
        let shell = "env -i PATH=\"$PATH\" TERM=\"$TERM\" LANG=C.UTF-8 PS1='$ ' /bin/sh";
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, shell]);
        terminal.wait_for("the shell prompt is shown", |screen| screen.starts_with('$'));
        Some(terminal)
    }

    /// Types a line and presses Enter.
    pub(crate) fn type_line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.press("Enter");
    }

    /// Presses a key, named as in tmux.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Resizes the terminal.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// Returns the text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Returns a property of the terminal, such as `alternate_on` or `cursor_flag`.
    pub(crate) fn property(&self, name: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    /// Waits until the screen fulfils a condition, and returns it.
    pub(crate) fn wait_for(&self, what: &str, is_reached: impl Fn(&str) -> bool) -> String {
        let started_at = Instant::now();
        loop {
            let screen = self.screen();
            if is_reached(&screen) {
                return screen;
            }
            assert!(started_at.elapsed() < TEST_TIMEOUT, "did not happen: {what}\n{screen}");
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
