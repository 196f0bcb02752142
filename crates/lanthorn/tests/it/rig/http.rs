//! A small blocking HTTP/1.1 client that sends exactly what a test says, also what no honest client would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::hosts;

/// No answer takes this long; a test that waits so long has found a hang.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where and how to connect.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// The host to connect from; this one without.
    pub from: Option<String>,
    /// The certificate authority to trust; plain HTTP without.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// False if the connection broke before the promised end.
    pub whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The `code` of an error answer.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Both kinds of stream.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Sends `head` (request line and headers, `\r\n`-joined, without the empty line) and `body`, reads the answer.
pub fn exchange(target: &Target, head: &str, body: &[u8]) -> Answer {
    let mut stream = connect(target);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
    stream.flush().unwrap();
    let head_only = head.starts_with("HEAD ");
    read_answer(&mut BufReader::new(stream), head_only)
}

/// Sends `head` and reads the answer's first `some` bytes, head included. The rest can be read later.
pub fn begin(target: &Target, head: &str, some: usize) -> impl Read + use<> {
    let mut stream = connect(target);
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
    stream.read_exact(&mut vec![0; some]).unwrap();
    stream
}

fn connect(target: &Target) -> Box<dyn Stream> {
    let dial = || TcpStream::connect_timeout(&target.address, DEADLINE).unwrap();
    let tcp = target.from.as_deref().map_or_else(dial, |host| hosts::inside(host, dial));
    tcp.set_read_timeout(Some(DEADLINE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    match &target.tls {
        None => Box::new(tcp),
        Some(config) => {
            let name = rustls::pki_types::ServerName::from(target.address.ip());
            let session = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
            Box::new(rustls::StreamOwned::new(session, tcp))
        }
    }
}

fn read_answer(stream: &mut BufReader<Box<dyn Stream>>, head_only: bool) -> Answer {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status =
        line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status: {line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut answer = Answer { status, headers, body: Vec::new(), whole: true };
    if head_only || status == 204 || status == 304 {
        return answer;
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.whole = read_chunks(stream, &mut answer.body).is_ok();
    } else {
        let length = answer.header("content-length").and_then(|n| n.parse::<u64>().ok());
        let read = stream.take(length.unwrap_or(u64::MAX)).read_to_end(&mut answer.body);
        answer.whole = read.is_ok() && length.is_none_or(|length| length == answer.body.len() as u64);
    }
    answer
}

fn read_chunks(stream: &mut BufReader<Box<dyn Stream>>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
        let before = body.len();
        stream.take(size).read_to_end(body)?;
        if (body.len() - before) as u64 != size {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        stream.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}
