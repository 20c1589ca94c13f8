//! Two hosts in network namespaces, `10.77.0.1` and `10.77.0.2`, joined by a cable.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::kit::skip;

/// Address of the host on which servers run.
pub(crate) const SERVER: &str = "10.77.0.1";

/// Address of the host of the clients.
const CLIENT: &str = "10.77.0.2";

/// Two hosts. Dropping them removes the namespaces, and with them the cable.
pub(crate) struct Hosts {
    names: [String; 2],
}

impl Hosts {
    /// Creates the hosts, or marks the test as skipped if this machine does not allow that.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |host: &str| format!("longshore-{host}-{}-{number}", std::process::id());
        let hosts = Self { names: ["server", "client"].map(name) };
        match hosts.create() {
            Ok(()) => Some(hosts),
            Err(why) => {
                skip(&format!("network namespaces are not possible: {why}"));
                None
            }
        }
    }

    fn create(&self) -> Result<(), String> {
        let [server, client] = &self.names;
        for name in &self.names {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        let cable = ["link", "add", "eth0", "netns", server, "type", "veth"];
        ip(&[&cable[..], &["peer", "name", "eth0", "netns", client]].concat())?;
        for (name, address) in [(server, SERVER), (client, CLIENT)] {
            ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
            // Without a link-local address, which the kernel adds a second later: browsers repeat or
            // give up what they load when an address is added.
            ip(&["-n", name, "link", "set", "eth0", "addrgenmode", "none"])?;
            ip(&["-n", name, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// Gives the server a name that the client resolves.
    pub(crate) fn name_server(&self, name: &str) {
        let folder = Path::new("/etc/netns").join(&self.names[1]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{SERVER} {name}\n")).unwrap();
    }

    /// Replaces a file of `/etc` for programs that are started on the host of the server.
    pub(crate) fn write_server_file(&self, name: &str, text: &str) {
        let folder = Path::new("/etc/netns").join(&self.names[0]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }

    /// Runs `ip` on the host of the server.
    pub(crate) fn configure_server(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.names[0]], arguments].concat()).unwrap();
    }

    /// Runs `ip` on the host of the clients.
    pub(crate) fn configure_client(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.names[1]], arguments].concat()).unwrap();
    }

    /// Calls a function on a thread of the host of the server. Sockets that it opens stay there.
    pub(crate) fn open_on_server<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        open_in(&self.names[0], open)
    }

    /// Calls a function on a thread of the host of the clients. Sockets that it opens stay there.
    pub(crate) fn open_on_client<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        open_in(&self.names[1], open)
    }

    /// Returns a command that runs on the host of the server, to which its program and arguments are added.
    pub(crate) fn on_server(&self) -> Vec<&str> {
        vec!["ip", "netns", "exec", &self.names[0]]
    }

    /// Returns a command that runs a program on the host of the server.
    pub(crate) fn server_command(&self, program: &str, arguments: &[&str]) -> Command {
        let prefix = self.on_server();
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).arg(program).args(arguments);
        command
    }

    /// Returns the name of the network namespace of the clients.
    pub(crate) fn client_namespace(&self) -> &str {
        &self.names[1]
    }

    /// Runs a program on the host of the clients.
    pub(crate) fn on_client(&self, program: &str, arguments: &[&str]) -> Output {
        self.client_command(program, arguments).output().unwrap()
    }

    /// Returns a command that runs a program on the host of the clients.
    pub(crate) fn client_command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[1], program]).args(arguments);
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            // Fails if it was not created.
            let _ = ip(&["netns", "delete", name]);
            let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
        }
    }
}

fn open_in<T: Send + 'static>(namespace: &str, open: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = fs::File::open(Path::new("/run/netns").join(namespace)).unwrap();
    let thread = std::thread::spawn(move || {
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), network).unwrap();
        open()
    });
    thread.join().unwrap()
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {why}", arguments.join(" "))) }
}
