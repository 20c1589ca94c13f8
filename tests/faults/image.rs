//! A disk whose power can be cut: ext4 on an image file that is mounted through a loop device.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::eventually;

/// Ends a filesystem at once: what is not on its device by then never comes there, not even its
/// own log. The number is that of `EXT4_IOC_SHUTDOWN`, the word that of "no flush of the log".
const CUT: &str = "
import fcntl, os, struct, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(directory, 0x8004587D, struct.pack('I', 2))
";

/// A mounted image. It is unmounted when this is dropped, and its loop device goes with that.
pub(crate) struct Image {
    directory: tempfile::TempDir,
}

impl Image {
    /// Makes and mounts one, or tells why it cannot.
    pub(crate) fn mount(mebibytes: u64) -> Result<Self, String> {
        let image = Self { directory: tempfile::tempdir().unwrap() };
        let file = std::fs::File::create(image.file()).unwrap();
        file.set_len(mebibytes << 20).unwrap();
        std::fs::create_dir(image.path()).unwrap();
        let make = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image.file()));
        let made = make.and_then(|()| image.attach());
        made.map_err(|why| format!("an image cannot be mounted, which takes root: {why}"))?;
        run(&mut image.cutter(&["--version"])).map_err(|why| format!("no python3: {why}"))?;
        Ok(image)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn attach(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.file()).arg(self.path()))
    }

    fn cutter(&self, args: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.args(args);
        command
    }

    /// Cuts the power.
    pub(crate) fn cut(&self) {
        run(self.cutter(&["-c", CUT]).arg(self.path())).unwrap();
    }

    /// Gives power again, once nobody holds anything of it any more.
    pub(crate) fn restore(&self) {
        eventually("the image is let go", || detach(&self.path()).ok());
        self.attach().unwrap();
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Lazily where somebody still holds it; an image that was never mounted is none.
        if detach(&self.path()).is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(self.path()));
        }
    }
}

fn detach(path: &Path) -> Result<(), String> {
    run(Command::new("umount").arg(path))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "))
}
