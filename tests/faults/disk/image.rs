//! A disk whose power can be cut: ext4 on an image file that is mounted through a loop device.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::kit::eventually;

/// Script that shuts down a filesystem each time it reads a line.
///
/// After the shutdown nothing more is written to the device, not even the journal of the filesystem.
/// 0x8004587D is `EXT4_IOC_SHUTDOWN`, and 2 means that the journal is not flushed. The script is in
/// Python because safe Rust has no call for this ioctl.
const CUT_SCRIPT: &str = "
import fcntl, os, struct, sys
print('ready', flush=True)
for _ in sys.stdin:
    directory = os.open(sys.argv[1], os.O_RDONLY)
    fcntl.ioctl(directory, 0x8004587D, struct.pack('I', 2))
    os.close(directory)
    print('cut', flush=True)
";

/// Mounted image. Dropping it unmounts the image, which also frees its loop device.
pub(crate) struct Image {
    directory: tempfile::TempDir,
    cutter: Option<Cutter>,
}

/// Process that shuts down the filesystem on request.
struct Cutter {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Image {
    /// Creates and mounts an image, or returns why that is not possible.
    pub(crate) fn mount(mebibytes: u64) -> Result<Self, String> {
        let mut image = Self { directory: tempfile::tempdir().unwrap(), cutter: None };
        let file = std::fs::File::create(image.file()).unwrap();
        file.set_len(mebibytes << 20).unwrap();
        std::fs::create_dir(image.path()).unwrap();
        let make = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image.file()));
        let mounted = make.and_then(|()| image.attach());
        mounted.map_err(|why| format!("cannot mount an image; this needs root: {why}"))?;
        image.cutter = Some(Cutter::start(&image.path())?);
        Ok(image)
    }

    /// Returns the directory where the image is mounted.
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
    pub(crate) fn cut_power(&mut self) {
        self.cutter.as_mut().unwrap().cut_power();
    }

    /// Mounts the image again, after no process uses it any more.
    pub(crate) fn restore(&self) {
        eventually("the image is unmounted", || detach(&self.path()).ok());
        self.attach().unwrap();
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A lazy unmount works while a process still uses the image. Both fail if the image was
        // never mounted.
        if detach(&self.path()).is_err() {
            let _ = run(Command::new("umount").arg("--lazy").arg(self.path()));
        }
    }
}

impl Cutter {
    fn start(path: &Path) -> Result<Self, String> {
        let mut command = Command::new("python3");
        command.args(["-c", CUT_SCRIPT]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("python3: {error}"))?;
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut cutter = Self { child, stdin, stdout };
        cutter.expect_line("ready");
        Ok(cutter)
    }

    fn cut_power(&mut self) {
        self.stdin.write_all(b"cut\n").unwrap();
        self.expect_line("cut");
    }

    fn expect_line(&mut self, expected: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), expected, "the power could not be cut");
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        // Fails if the process has ended by itself.
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
