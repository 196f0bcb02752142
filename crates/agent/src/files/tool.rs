//! Runs an outside program on an opened file, confined: no name from a share ever reaches it, only a handle.
//!
//! The file is the program's standard input; it opens [`INPUT`] to be able to seek in it. It gets an empty
//! environment, a process group of its own, limits on time and memory that hold before its first instruction, and
//! is killed with its group when its [`Running`] is dropped. What it may parse is the caller's business.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, setpriority_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

/// The program's view of the opened file: its own standard input, opened anew so that it can be sought in.
#[cfg(target_os = "linux")]
pub const INPUT: &str = "/proc/self/fd/0";
/// The program's view of the opened file.
#[cfg(not(target_os = "linux"))]
pub const INPUT: &str = "/dev/fd/0";

/// Sets the limits on itself, then becomes the program. `$1` CPU seconds, `$2` KiB of data, `$3` KiB of addresses.
/// No file may grow (`-f 0`), so nothing can be written but the pipe. A limit that a system lacks is left out.
const CONFINE: &str = r#"ulimit -c 0; ulimit -f 0; ulimit -n 64
[ "$1" = 0 ] || ulimit -t "$1"
ulimit -d "$2" 2>/dev/null; ulimit -v "$3" 2>/dev/null
shift 3; exec "$@""#;

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time of a processor; zero: as much as it takes.
    pub cpu: Duration,
    /// Time on the clock.
    pub time: Option<Duration>,
    /// Bytes of memory of its own (not the libraries it maps).
    pub memory: u64,
    /// How far it stands back behind others, 0 to 19.
    pub nice: i32,
}

impl Limits {
    /// For looking at a file once: 10 s of a processor, 512 MiB.
    pub const GLANCE: Self = Self {
        cpu: Duration::from_secs(10),
        time: Some(Duration::from_secs(15)),
        memory: 512 << 20,
        nice: 5,
    };
    /// For converting a film while somebody watches: no end, 2 GiB (4K films have large frames).
    pub const CONVERT: Self = Self { cpu: Duration::ZERO, time: None, memory: 2 << 30, nice: 10 };
}

/// Why a program gave nothing of use.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started, or its pipe broke.
    #[error("the program could not be run")]
    Run(#[from] io::Error),
    /// It found nothing it could use, or was ended by a limit.
    #[error("the program failed")]
    Failed,
    /// It took longer than it may.
    #[error("the program took too long")]
    TimedOut,
    /// It wrote more than it may.
    #[error("the program wrote too much")]
    TooMuch,
}

/// A program at work. Dropping it kills it and whatever it started.
pub struct Running {
    child: Child,
    output: ChildStdout,
    ends: Option<Instant>,
}

/// Starts a program on a file.
///
/// # Errors
/// It could not be started.
pub fn start<S: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = S>,
    input: File,
    limits: Limits,
) -> Result<Running, ToolError> {
    let data = limits.memory >> 10;
    // Libraries and thread stacks take addresses without taking memory.
    let addresses = data + (1 << 20);
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(CONFINE).arg("sh");
    command.args([limits.cpu.as_secs().to_string(), data.to_string(), addresses.to_string()]);
    command.arg(program).args(args);
    command.env_clear().env("LC_ALL", "C").env("MALLOC_ARENA_MAX", "2");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::from(input)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let running = Running { child, output, ends: limits.time.map(|time| Instant::now() + time) };
    if let Some(group) = running.group() {
        let _ = setpriority_process(Some(group), limits.nice);
    }
    Ok(running)
}

impl Running {
    /// The process, which leads its group; `None` once it has been waited for.
    #[must_use]
    pub fn group(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }

    /// The next bytes of its output, up to `max`; empty at the end.
    ///
    /// # Errors
    /// [`ToolError::TimedOut`], or the pipe broke.
    pub async fn read(&mut self, max: usize) -> Result<Vec<u8>, ToolError> {
        let mut bytes = Vec::with_capacity(max);
        let reading = self.output.read_buf(&mut bytes);
        within(self.ends, reading).await??;
        Ok(bytes)
    }

    /// Exactly this many bytes of its output.
    ///
    /// # Errors
    /// [`ToolError::Failed`] if it ends before.
    pub async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ToolError> {
        match within(self.ends, self.output.read_exact(buffer)).await? {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ToolError::Failed),
            Err(error) => Err(error.into()),
        }
    }

    /// All its output, if it ends well.
    ///
    /// # Errors
    /// [`ToolError`].
    pub async fn read_to_end(mut self, max: usize) -> Result<Vec<u8>, ToolError> {
        let mut bytes = Vec::new();
        let mut output = (&mut self.output).take(max as u64 + 1);
        within(self.ends, output.read_to_end(&mut bytes)).await??;
        if bytes.len() > max {
            return Err(ToolError::TooMuch);
        }
        self.finish().await?;
        Ok(bytes)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`ToolError::Failed`] if it did not end well.
    pub async fn finish(&mut self) -> Result<(), ToolError> {
        let status = within(self.ends, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(ToolError::Failed) }
    }
}

async fn within<T>(ends: Option<Instant>, work: impl Future<Output = T>) -> Result<T, ToolError> {
    match ends {
        Some(ends) => tokio::time::timeout_at(ends, work).await.map_err(|_| ToolError::TimedOut),
        None => Ok(work.await),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Until it has been waited for, its number cannot have passed to another process.
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Waits until a process has ended: tests see with it that something was killed.
#[cfg(test)]
pub(crate) async fn gone(pid: Pid) {
    let stat = format!("/proc/{}/stat", pid.as_raw_pid());
    // A killed process that nobody has waited for yet is a zombie (`Z`): ended all the same.
    let ended = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    while !ended() {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file.reopen().unwrap()
    }

    async fn sh(script: &str, limits: Limits, max: usize) -> Result<String, ToolError> {
        let running = start(Path::new("/bin/sh"), ["-c", script], file(b"seven\n"), limits)?;
        running.read_to_end(max).await.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[tokio::test]
    async fn a_program_gets_the_file_and_nothing_else() {
        let said =
            sh("cat /proc/self/fd/0; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '", Limits::GLANCE, 999);
        assert_eq!(said.await.unwrap(), "seven\n/\nLC_ALL MALLOC_ARENA_MAX PATH PWD ");
        let limits = sh("ulimit -t; ulimit -d; ulimit -f; ulimit -c", Limits::GLANCE, 999);
        assert_eq!(limits.await.unwrap(), "10\n524288\n0\n0\n");
    }

    #[tokio::test]
    async fn each_limit_holds() {
        let short = Limits { time: Some(Duration::from_millis(50)), ..Limits::GLANCE };
        assert!(matches!(sh("exec sleep 1000", short, 99).await, Err(ToolError::TimedOut)));
        assert!(matches!(sh("exec yes", Limits::GLANCE, 99).await, Err(ToolError::TooMuch)));
        assert!(matches!(sh("exit 3", Limits::GLANCE, 99).await, Err(ToolError::Failed)));
        let cpu = Limits { cpu: Duration::from_secs(1), ..Limits::GLANCE };
        assert!(matches!(sh("while :; do :; done", cpu, 99).await, Err(ToolError::Failed)));
        let hungry = "exec head -c 1000000000 /dev/zero | tail -c 999999999 | wc -c";
        let fed = sh(hungry, Limits::GLANCE, 99).await;
        assert!(!matches!(&fed, Ok(said) if said.trim() == "999999999"), "{fed:?}");
        let folder = tempfile::tempdir().unwrap();
        let write = format!("echo x > {}/x", folder.path().display());
        assert!(sh(&write, Limits::GLANCE, 99).await.is_err());
    }

    #[tokio::test]
    async fn dropping_it_kills_the_whole_group() {
        let script = "sleep 1000 & echo $!; wait";
        let mut running = start(Path::new("/bin/sh"), ["-c", script], file(b""), Limits::CONVERT).unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"\n") {
            said.extend(running.read(64).await.unwrap());
        }
        let grandchild: i32 = String::from_utf8(said).unwrap().trim().parse().unwrap();
        let pids = [running.group().unwrap(), Pid::from_raw(grandchild).unwrap()];
        drop(running);
        for pid in pids {
            crate::files::tool::gone(pid).await;
        }
    }
}
