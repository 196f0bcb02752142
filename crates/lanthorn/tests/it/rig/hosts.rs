//! Hosts of their own on this machine (network namespaces), wired to a router between them whose ways a test can cut.
//! Needs to be root and to have `ip`.

use std::fs::File;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fd::AsFd;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A host, gone with its value and all that was plugged into it.
pub struct Host {
    name: String,
    pub address: Ipv4Addr,
}

/// Hosts around a router.
pub struct Network {
    pub router: Host,
    pub hosts: Vec<Host>,
}

/// A way between two hosts that carries nothing until it is mended.
pub struct Cut<'a> {
    router: &'a Host,
    rules: Vec<String>,
}

impl Network {
    /// A router with this many hosts; `None`, and a message, where none can be made.
    pub fn new(hosts: usize) -> Option<Self> {
        if !can_make_hosts() {
            eprintln!("skipped: needs root, network namespaces, and the program ip");
            return None;
        }
        let router = Host::new("router", Ipv4Addr::UNSPECIFIED);
        let hosts = (1..=hosts).map(|n| router.wire(n as u8)).collect();
        inside(&router.name, || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
        Some(Self { router, hosts })
    }

    /// Drops, both ways, what each of these says of the packets from the first host to the second; the answers are
    /// dropped by their own words.
    pub fn cut(&self, ways: &[(usize, usize, &str)]) -> Cut<'_> {
        let address = |host: usize| self.hosts[host].address;
        let rules = ways.iter().map(|(from, to, what)| {
            format!("from {} to {} {what} blackhole", address(*from), address(*to)).replace("  ", " ")
        });
        let rules: Vec<String> = rules.collect();
        rules.iter().for_each(|rule| self.router.ip(&format!("rule add {rule}")));
        Cut { router: &self.router, rules }
    }
}

impl Cut<'_> {
    /// Lets everything pass again.
    pub fn mend(self) {}
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.rules.iter().for_each(|rule| self.router.ip(&format!("rule del {rule}")));
    }
}

impl Host {
    fn new(name: &str, address: Ipv4Addr) -> Self {
        // Several tests may have networks at one time, in one process or in many.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let serial = MADE.fetch_add(1, Ordering::Relaxed);
        let host = Self { name: format!("lh{}-{serial}-{name}", std::process::id()), address };
        ip(&format!("netns add {}", host.name));
        host.ip("link set lo up");
        host
    }

    /// A new host at the other end of a wire.
    fn wire(&self, n: u8) -> Self {
        let other = Self::new(&n.to_string(), Ipv4Addr::new(10, 92, n, 2));
        let gateway = Ipv4Addr::new(10, 92, n, 1);
        ip(&format!("link add wire{n} netns {} type veth peer name home netns {}", self.name, other.name));
        self.ip(&format!("addr add {gateway}/24 dev wire{n}"));
        self.ip(&format!("link set wire{n} up"));
        other.ip(&format!("addr add {}/24 dev home", other.address));
        other.ip("link set home up");
        other.ip(&format!("route add default via {gateway}"));
        other
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.name));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What was plugged into it goes with it.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A program on a host. It takes the place of `ip`: its process id is the child's.
pub fn command(host: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host, program]);
    command
}

/// Does something on a host, on a thread of its own. Sockets that it makes stay there wherever they are used.
pub fn inside<T: Send>(host: &str, act: impl FnOnce() -> T + Send) -> T {
    let space = File::open(format!("/run/netns/{host}")).unwrap();
    let there = || {
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        act()
    };
    std::thread::scope(|scope| scope.spawn(there).join().unwrap())
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).status().unwrap();
    assert!(done.success(), "ip {words}");
}

fn can_make_hosts() -> bool {
    let probe = format!("lh{}-probe", std::process::id());
    let quietly = |what: &str| {
        let done = Command::new("ip")
            .args(["netns", what, &probe])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
    };
    rustix::process::geteuid().is_root() && quietly("add") && quietly("del")
}
