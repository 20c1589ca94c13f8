//! A disk whose power can be cut: ext4 on an image file that is mounted through a loop device.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::kit::eventually;

/// Ends a filesystem at once whenever it is told to: what is not on its device by then never comes
/// there, not even its own log. The number is that of `EXT4_IOC_SHUTDOWN`, and 2 says that the log
/// is not flushed. In Python, for the call is none of those that safe Rust can make.
const CUTTER: &str = "
import fcntl, os, struct, sys
print('ready', flush=True)
for _ in sys.stdin:
    directory = os.open(sys.argv[1], os.O_RDONLY)
    fcntl.ioctl(directory, 0x8004587D, struct.pack('I', 2))
    os.close(directory)
    print('cut', flush=True)
";

/// A mounted image. It is unmounted when this is dropped, and its loop device goes with that.
pub(crate) struct Image {
    directory: tempfile::TempDir,
    cutter: Option<Cutter>,
}

/// A process that waits for the word to cut.
struct Cutter {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Image {
    /// Makes and mounts one, or tells why it cannot.
    pub(crate) fn mount(mebibytes: u64) -> Result<Self, String> {
        let mut image = Self { directory: tempfile::tempdir().unwrap(), cutter: None };
        let file = std::fs::File::create(image.file()).unwrap();
        file.set_len(mebibytes << 20).unwrap();
        std::fs::create_dir(image.path()).unwrap();
        let make = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image.file()));
        let made = make.and_then(|()| image.attach());
        made.map_err(|why| format!("an image cannot be mounted, which takes root: {why}"))?;
        image.cutter = Some(Cutter::start(&image.path())?);
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

    /// Cuts the power.
    pub(crate) fn cut(&mut self) {
        self.cutter.as_mut().unwrap().cut();
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

impl Cutter {
    fn start(path: &Path) -> Result<Self, String> {
        let mut command = Command::new("python3");
        command.args(["-c", CUTTER]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("python3: {error}"))?;
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut cutter = Self { child, stdin, stdout };
        cutter.says("ready");
        Ok(cutter)
    }

    fn cut(&mut self) {
        self.stdin.write_all(b"cut\n").unwrap();
        self.says("cut");
    }

    fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word, "the power could not be cut");
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        // Fails where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
