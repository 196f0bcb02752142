//! Where this machine's own coordinator answers: written by the running process into a private file of the state folder.
//! Nothing is believed of it but the port: whoever answers there has to prove itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use coordinator::keyfile;
use serde::{Deserialize, Serialize};

/// The file in the state folder.
const FILE: &str = "running.json";

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    address: SocketAddr,
    pid: u32,
}

/// The file of a process that answers. It goes when this is dropped.
#[derive(Debug)]
pub struct RunningFile(PathBuf);

impl RunningFile {
    /// Says where this process answers.
    pub fn write(state: &Path, bound: SocketAddr) -> Result<Self> {
        let ip = if bound.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bound.ip() };
        let running = Running { address: SocketAddr::new(ip, bound.port()), pid: std::process::id() };
        let path = state.join(FILE);
        keyfile::write(&path, &serde_json::to_vec(&running)?)?;
        Ok(Self(path))
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        // Another process may have taken over meanwhile: its word stays.
        let ours =
            read_file(&self.0).is_ok_and(|found| found.is_some_and(|found| found.pid == std::process::id()));
        if ours {
            // Whoever reads a file that is left over finds nobody at the address, and is told so.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// Where the coordinator of this state folder says that it answers, if it does.
pub fn read(state: &Path) -> Result<Option<SocketAddr>> {
    Ok(read_file(&state.join(FILE))?.map(|running| running.address))
}

fn read_file(path: &Path) -> Result<Option<Running>> {
    let Some(bytes) = keyfile::read(path)? else { return Ok(None) };
    serde_json::from_slice(bytes.expose()).map(Some).context("running.json has a mistake")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_as_long_as_the_process_and_never_takes_anothers_along() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read(home.path()).unwrap(), None);
        let file = RunningFile::write(home.path(), "[::]:7010".parse().unwrap()).unwrap();
        assert_eq!(read(home.path()).unwrap(), Some("127.0.0.1:7010".parse().unwrap()));
        drop(file);
        assert_eq!(read(home.path()).unwrap(), None);
        let file = RunningFile::write(home.path(), "10.0.0.7:7000".parse().unwrap()).unwrap();
        let other = Running { address: "10.0.0.7:7001".parse().unwrap(), pid: std::process::id() + 1 };
        keyfile::write(&home.path().join(FILE), &serde_json::to_vec(&other).unwrap()).unwrap();
        drop(file);
        assert_eq!(read(home.path()).unwrap(), Some(other.address));
    }
}
