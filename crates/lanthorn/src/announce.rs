//! What the terminal shows once Lanthorn answers: addresses, setup code, QR code; and opening the browser.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// What there is to say.
pub struct Announcement<'a> {
    /// What this machine is called.
    pub device_name: &'a str,
    /// Where we listen.
    pub bound: SocketAddr,
    /// What the coordinator wants to be told.
    pub words: Words,
    /// A sentence about the port.
    pub notice: Option<String>,
}

/// What a coordinator has people see on the terminal, where nobody else can change it.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The code that setup asks for from another machine, while setup is not done.
    pub setup_code: Option<String>,
    /// SHA-256 of the certificate shown, to compare with what a browser says; empty where there is none.
    pub fingerprint: String,
}

impl Announcement<'_> {
    /// The address for this machine's own browser.
    pub fn local_url(&self) -> String {
        let host = if self.bound.ip().is_unspecified() || self.bound.ip().is_loopback() {
            "localhost".to_owned()
        } else {
            url_host(self.bound.ip())
        };
        format!("http://{host}:{}", self.bound.port())
    }

    /// The addresses for other machines, the likeliest first.
    pub fn lan_urls(&self) -> Vec<String> {
        let addresses =
            if self.bound.ip().is_unspecified() { lan_addresses() } else { vec![self.bound.ip()] };
        let others = addresses.into_iter().filter(|ip| !ip.is_loopback());
        others.map(|ip| format!("http://{}:{}", url_host(ip), self.bound.port())).collect()
    }

    /// Prints it.
    #[expect(clippy::print_stdout, reason = "this is what the user started us to see")]
    pub fn print(&self) {
        println!("Lanthorn {} on {}\n", env!("CARGO_PKG_VERSION"), self.device_name);
        if let Some(notice) = &self.notice {
            println!("  {notice}\n");
        }
        println!("  On this machine   {}", self.local_url());
        let lan = self.lan_urls();
        for url in &lan {
            println!("  On the network    {url}");
        }
        let (first, second) = self.words.fingerprint.split_at(self.words.fingerprint.len().div_ceil(2));
        if !first.is_empty() {
            println!(
                "\n  Fingerprint       {first}\n                    {second}\n  Compare it with what a browser says of the certificate."
            );
        }
        if let Some(code) = &self.words.setup_code {
            println!(
                "\n  Setup code        {code}\n  Setup asks for it when you open the page on another machine."
            );
        }
        if let Some(qr) = lan.first().and_then(|url| QrCode::new(url).ok()) {
            println!(
                "\n{}",
                qr.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
            );
        }
        println!("\n  Ctrl-C stops Lanthorn.");
    }
}

/// This machine's addresses that others may reach, private IPv4 first: those are what a household types.
pub fn lan_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(is_reachable).collect();
    addresses.sort_by_key(|ip| match ip {
        IpAddr::V4(v4) => (!v4.is_private(), v4.octets()[0] != 192),
        IpAddr::V6(_) => (true, true),
    });
    addresses.dedup();
    addresses
}

fn is_reachable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

fn url_host(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Opens the browser if this machine has a screen. Failing to is no error: the address is on the terminal.
pub fn open_browser(url: &str) {
    let has_screen = cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    if !has_screen {
        return;
    }
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut explorer = Command::new("cmd");
        explorer.args(["/C", "start", ""]);
        explorer
    } else {
        Command::new("xdg-open")
    };
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match quiet.spawn() {
        // Waited for on a thread of its own, so that no zombie stays.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => tracing::info!(%error, "cannot open a browser"),
    }
}
