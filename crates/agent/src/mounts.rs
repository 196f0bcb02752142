//! Disks of a test's own: small ones, read-only ones, one as Windows has them. They are mounted where only the test's process sees
//! them, and go with it however it ends.

use std::path::Path;
use std::process::{Command, Stdio};

/// Says to a test that it runs in a process of its own.
const VARIABLE: &str = "LANTHORN_TEST_OWN_MOUNTS";

/// Leave to mount.
pub(crate) struct Mounts(());

impl Mounts {
    /// Runs the calling test, whose full name this is, once more in a process that may mount; in that one this is `Some`.
    /// Where no such process can be made the test is skipped, with a message.
    pub(crate) fn own(test: &str) -> Option<Self> {
        if std::env::var_os(VARIABLE).is_some() {
            return Some(Self(()));
        }
        if !succeeds(unshared().arg("true").stderr(Stdio::null())) {
            eprintln!("skipped: needs root, or user namespaces, and the program unshare");
            return None;
        }
        let own = std::env::current_exe().unwrap();
        let mut again = unshared();
        again.arg(own).args(["--exact", test, "--nocapture"]).env(VARIABLE, "1");
        assert!(succeeds(&mut again), "it failed on its own disk");
        None
    }

    /// A disk in memory, with mount's options: `size=8m`.
    pub(crate) fn memory(&self, folder: &Path, options: &str) {
        let mounted = run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"], folder);
        assert!(mounted, "cannot mount a disk in memory");
    }

    /// Lets a disk not be written to any more.
    pub(crate) fn make_read_only(&self, folder: &Path) {
        assert!(run("mount", &["-o", "remount,ro"], folder), "cannot mount again");
    }

    /// A disk whose names are as on Windows: blind to capitals, without `:` and `?`, and no exchange of names. False, and a
    /// message, where none can be made.
    pub(crate) fn like_windows(&self, folder: &Path) -> bool {
        let image = folder.with_extension("image");
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let made = run("mkntfs", &["--quiet", "--fast", "--force"], &image);
        let image = image.to_str().unwrap();
        let mounted = made && run("lowntfs-3g", &["-o", "ignore_case,windows_names", image], folder);
        if !mounted {
            eprintln!("skipped: needs FUSE and the programs mkntfs and lowntfs-3g");
        }
        mounted
    }
}

/// A command in namespaces of its own: where one is not root, as root of nothing but them. What it began ends with it.
fn unshared() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}

fn run(program: &str, args: &[&str], last: &Path) -> bool {
    succeeds(Command::new(program).args(args).arg(last).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
