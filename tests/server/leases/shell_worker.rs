//! The shell worker in the README.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use crate::kit::{Server, echo, skip, with};

/// Returns the shell script in the README, with the URL of this server.
fn script(server: &Server) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("## Workers of your own").nth(1).unwrap();
    let script = section.split("```bash\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(script.contains("http://127.0.0.1:7373"), "{script}");
    script.replace("http://127.0.0.1:7373", &server.url())
}

fn is_installed(program: &str) -> bool {
    let ran = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

#[test]
fn the_shell_worker_in_the_readme_works() {
    if let Some(missing) = ["bash", "curl", "jq"].into_iter().find(|program| !is_installed(program))
    {
        return skip(&format!("{missing} is not installed"));
    }
    let server = Server::start();
    let mut command = Command::new("bash");
    command.args(["-c", &script(&server)]).stdin(Stdio::null()).stdout(Stdio::null());
    // A process group, because killing the shell alone would leave its child processes running.
    let _worker = ProcessGroup(command.process_group(0).spawn().unwrap());
    for text in ["hello", "a \"b\" \\n\nc", ""] {
        let fields = json!({"kind": "shout", "lane": "remote", "payload": {"text": text}});
        let job = server.run(&with(echo(0), &fields));
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)));
        assert_eq!(job["result"], text.to_uppercase());
    }
}

/// A process and its child processes, killed when this is dropped.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Fails if all processes have ended.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
