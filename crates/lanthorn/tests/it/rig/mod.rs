//! The world a test lives in: the real binary with a home of its own on a free port, and browsers that visit it.

pub mod commands;
pub mod hosts;
pub mod http;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use http::{Answer, Target, exchange};

/// The PIN of every world's owner.
pub const PIN: &str = "482913";

/// A home folder, a shared folder and the processes started in it.
pub struct World {
    pub home: tempfile::TempDir,
    /// The host it is on; this one without.
    host: Option<String>,
}

/// One running process.
pub struct Server {
    child: Child,
    /// What it printed until it answered.
    pub printed: String,
    pub port: u16,
    host: Option<String>,
    /// Reads what it prints on, so that it never waits for us.
    _rest: std::thread::JoinHandle<()>,
}

impl World {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("shared")).unwrap();
        Self { home, host: None }
    }

    /// A world on another host.
    pub fn on(host: &hosts::Host) -> Self {
        Self { host: Some(host.name().to_owned()), ..Self::new() }
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.home.path().join(".local/state/lanthorn")
    }

    /// The folder that is shared.
    pub fn shared(&self) -> PathBuf {
        self.home.path().join("shared")
    }

    /// Puts a file into the shared folder.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.shared().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The binary, in this world's home and nothing else's environment.
    pub fn lanthorn<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        self.program(env!("CARGO_BIN_EXE_lanthorn"), args)
    }

    /// Any program, the same way.
    pub fn program<I: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = match &self.host {
            None => Command::new(program),
            Some(host) => hosts::command(host, program),
        };
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            // Worlds do not find each other; one on a host of its own may look around.
            .env("LANTHORN_DISCOVERY", if self.host.is_some() { "true" } else { "false" })
            .env("PATH", std::env::var_os("PATH").unwrap());
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// Starts everything on a free port.
    pub fn start(&self) -> Server {
        self.start_with(["--port", "0", "--no-browser"])
    }

    /// Starts the binary with these arguments and waits until it says where it answers.
    pub fn start_with<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Server {
        let mut child = self.lanthorn(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            printed.push_str(&line);
            printed.push('\n');
            if line.contains("Ctrl-C stops") {
                break;
            }
        }
        let port = port_in(&printed).unwrap_or_else(|| panic!("it did not start: {printed}"));
        let rest = std::thread::spawn(move || lines.for_each(drop));
        Server { child, printed, port, host: self.host.clone(), _rest: rest }
    }

    /// A world that is set up, its server, and the owner's browser on this machine.
    pub fn set_up() -> (Self, Server, Browser) {
        Self::new().started(["--port", "0", "--no-browser"])
    }

    /// This world, its server that is set up, and the owner's browser on the machine.
    pub fn started<I: AsRef<OsStr>>(self, args: impl IntoIterator<Item = I>) -> (Self, Server, Browser) {
        let server = self.start_with(args);
        let mut owner = server.local();
        owner.set_up(&self.shared()).expect_status(200);
        (self, server, owner)
    }
}

fn port_in(printed: &str) -> Option<u16> {
    let url = printed.lines().find_map(|line| line.trim().strip_prefix("On this machine"))?;
    url.trim().rsplit(':').next()?.parse().ok()
}

impl Server {
    /// A browser on this machine.
    pub fn local(&self) -> Browser {
        let mut browser = Browser::at(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        browser.target.from.clone_from(&self.host);
        browser
    }

    /// A browser that comes over the network, through this machine's own outside address; `None` where there is none.
    pub fn over_network(&self) -> Option<Browser> {
        let outside = if_addrs::get_if_addrs().unwrap().into_iter().map(|i| i.ip()).find(|ip| match ip {
            IpAddr::V4(v4) => !v4.is_loopback(),
            IpAddr::V6(_) => false,
        })?;
        Some(Browser::at(SocketAddr::new(outside, self.port)))
    }

    /// The setup code it printed.
    pub fn setup_code(&self) -> String {
        let line = self.printed.lines().find_map(|line| line.trim().strip_prefix("Setup code"));
        line.expect("a setup code was printed").trim().to_owned()
    }

    /// Asks it politely to end and waits for that.
    pub fn end(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already where a test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody's browser: remembers cookies, says what browsers say.
#[derive(Clone)]
pub struct Browser {
    pub target: Target,
    pub cookies: Vec<(String, String)>,
}

impl Browser {
    pub fn at(address: SocketAddr) -> Self {
        Self { target: Target { address, from: None, tls: None }, cookies: Vec::new() }
    }

    fn origin(&self) -> String {
        let scheme = if self.target.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.target.address)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, None)
    }

    pub fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], Some(&body))
    }

    /// Sends what the page would send.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close", self.target.address);
        if method != "GET" && method != "HEAD" {
            head += &format!("\r\nOrigin: {}\r\nX-Lanthorn: 1\r\nSec-Fetch-Site: same-origin", self.origin());
            head += &format!("\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head += &format!("\r\nCookie: {}", cookies.join("; "));
        }
        for (name, value) in headers {
            head += &format!("\r\n{name}: {value}");
        }
        let answer = exchange(&self.target, &head, body.as_bytes());
        self.remember(&answer);
        answer
    }

    fn remember(&mut self, answer: &Answer) {
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Begins a download and reads some of it.
    pub fn begin(&self, path: &str) -> impl std::io::Read + use<> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (host, cookies) = (self.target.address, cookies.join("; "));
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookies}");
        http::begin(&self.target, &head, 100_000)
    }

    pub fn set_up(&mut self, folder: &Path) -> Answer {
        self.post("/api/v1/setup", json!({ "folder": folder, "device_name": "Attic", "pin": PIN }))
    }

    pub fn sign_in(&mut self, pin: &str) -> Answer {
        self.post("/api/v1/auth/login", json!({ "pin": pin }))
    }

    /// The address of the first share's device API, as the page uses it.
    pub fn share(&mut self) -> String {
        let shares = self.get("/api/v1/catalog/shares").expect_status(200).json();
        let share = &shares["shares"][0];
        let (device, id) = (share["device_id"].as_str().unwrap(), share["id"].as_str().unwrap());
        format!("/api/v1/devices/{device}/shares/{id}")
    }

    /// The addresses of the device APIs of every share that is on another machine.
    pub fn shares_elsewhere(&mut self) -> Vec<String> {
        let devices = self.get("/api/v1/catalog/devices").expect_status(200).json();
        let devices = devices["devices"].as_array().unwrap();
        let own = devices.iter().find(|device| device["local"] == true).unwrap()["id"].clone();
        let shares = self.get("/api/v1/catalog/shares").expect_status(200).json();
        let shares = shares["shares"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        shares
            .filter(|share| share["device_id"] != own)
            .map(|share| {
                format!("/api/v1/devices/{}/shares/{}", text(&share["device_id"]), text(&share["id"]))
            })
            .collect()
    }
}

impl Answer {
    /// The same answer, after checking its status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// A machine that waits to be let in: `lanthorn pair`, and what it printed.
pub struct Joining {
    child: Child,
    code: String,
    words: Vec<String>,
    rest: BufReader<std::process::ChildStdout>,
}

impl Joining {
    /// Has the machine ask the coordinator to let it in.
    pub fn begin(machine: &World, coordinator: &Server) -> Self {
        Self::begin_with(machine, coordinator, &[])
    }

    /// The same with more arguments.
    pub fn begin_with(machine: &World, coordinator: &Server, more: &[&str]) -> Self {
        Self::ask(machine, &[&[format!("127.0.0.1:{}", coordinator.port).as_str()], more].concat())
    }

    /// The same for a coordinator at this address.
    pub fn begin_at(machine: &World, address: &str) -> Self {
        Self::ask(machine, &[address])
    }

    fn ask(machine: &World, args: &[&str]) -> Self {
        let mut pair = machine.lanthorn([&["pair"], args].concat());
        let mut child = pair.stdout(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("Ctrl-C") {
            assert_ne!(rest.read_line(&mut printed).unwrap(), 0, "it gave up: {printed}");
        }
        let after = |label: &str| {
            let line = printed.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        Self { child, code: after("Code").concat(), words: after("Words"), rest }
    }

    /// The owner types the code, compares the words and confirms; the machine says that it is in.
    pub fn confirm(mut self, owner: &mut Browser) {
        let look = json!({ "pairing_code": self.code });
        let waiting = owner.post("/api/v1/pairing/look", look).expect_status(200).json();
        assert_eq!(waiting["words"], json!(self.words), "the words of both screens");
        let id = &waiting["pending_pairing_id"];
        let confirm = json!({ "pairing_code": self.code, "pending_pairing_id": id });
        owner.post("/api/v1/pairing/confirm", confirm).expect_status(200);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.rest, &mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        assert!(said.contains("has joined"), "{said}");
    }

    /// Somebody presses Ctrl-C.
    pub fn cancel(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(!self.child.wait().unwrap().success());
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        // Gone already where it was let in.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer; gives up long after there should have been one.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(what, 20, ask)
}

/// The same for what takes longer by its nature.
#[track_caller]
pub fn until_within<T>(what: &str, seconds: u64, mut ask: impl FnMut() -> Option<T>) -> T {
    let asked = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(asked.elapsed().as_secs() < seconds, "not in {seconds} seconds: {what}");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

/// A path's text as it stands in a query.
pub fn in_query(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
