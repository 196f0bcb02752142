//! Where a test can step in, let the disk fail, or end the process: before every step that changes the disk. Elsewhere
//! nothing of it is left.

/// The next change of the disk comes now. An error is what a test has the disk say instead.
#[cfg(not(test))]
#[inline]
#[allow(clippy::unnecessary_wraps)]
pub(crate) const fn step(_: &'static str) -> Result<(), rustix::io::Errno> {
    Ok(())
}

#[cfg(test)]
pub(crate) use at::{Fault, everywhere, failing, is_cut_off, step, steps_of};

#[cfg(test)]
mod at {
    use std::cell::RefCell;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    use rustix::io::Errno;
    use tempfile::TempDir;

    /// `STEP FOLDER`: the process dies before this step of the act.
    const VARIABLE: &str = "LANTHORN_TEST_DIES_BEFORE";

    type Hook = Rc<dyn Fn(&'static str) -> Result<(), Errno>>;

    /// What a disk does that fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// It fails once, and then works again as if nothing had been.
        Once,
        /// It is full: nothing grows any more, but what is there can be moved and removed.
        Full,
    }

    impl Fault {
        fn of(self, what: &str, nth: usize, first: usize) -> Result<(), Errno> {
            const NEEDS_NO_ROOM: [&str; 9] = [
                "cut",
                "exchange",
                "move",
                "move over",
                "rmdir",
                "sync disk",
                "sync file",
                "sync folder",
                "unlink",
            ];
            match self {
                Self::Once if nth == first => Err(Errno::IO),
                Self::Full if nth >= first && !NEEDS_NO_ROOM.contains(&what) => Err(Errno::NOSPC),
                _ => Ok(()),
            }
        }
    }

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// The next change of the disk comes now.
    pub(crate) fn step(what: &'static str) -> Result<(), Errno> {
        // Not held while it runs: it may change the disk itself.
        let hook = HOOK.with_borrow(Clone::clone);
        hook.map_or(Ok(()), |hook| hook(what))
    }

    /// Does something on this thread, and calls `before` before each of its steps. The steps, in order.
    pub(crate) fn steps_of(act: impl FnOnce(), before: impl Fn(&'static str) + 'static) -> Vec<&'static str> {
        steps_that(act, move |what, _| {
            before(what);
            Ok(())
        })
    }

    /// [`steps_of`], where each step, told its number, can be made to fail.
    fn steps_that(
        act: impl FnOnce(),
        before: impl Fn(&'static str, usize) -> Result<(), Errno> + 'static,
    ) -> Vec<&'static str> {
        let steps = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&steps);
        let hook: Hook = Rc::new(move |what| {
            seen.borrow_mut().push(what);
            let nth = seen.borrow().len() - 1;
            before(what, nth)
        });
        HOOK.set(Some(hook));
        act();
        HOOK.set(None);
        steps.take()
    }

    /// Does something on a disk that fails at its first step, on another that fails at its second, and so on until it
    /// comes through; after each, looks at what it told and at what is left.
    pub(crate) fn failing<T>(
        fault: Fault,
        prepare: impl Fn() -> TempDir,
        act: impl Fn(&Path) -> T,
        check: impl Fn(&Path, &str, T),
    ) {
        for first in 0.. {
            let folder = prepare();
            let mut told = None;
            let steps =
                steps_that(|| told = Some(act(folder.path())), move |what, nth| fault.of(what, nth, first));
            let failed = steps.get(first).copied();
            check(folder.path(), &format!("{fault:?} at {first}: {failed:?} of {steps:?}"), told.unwrap());
            if failed.is_none() {
                return;
            }
        }
    }

    /// Does something in a process that dies, as by `kill -9`, before its first step, in another that dies before its
    /// second, and so on until one comes through; after each, looks at what is left. `test` is the calling test's own
    /// full name, for it is run again in those processes.
    pub(crate) fn everywhere(
        test: &str,
        prepare: impl Fn() -> TempDir,
        act: impl FnOnce(&Path),
        check: impl Fn(&Path, bool),
    ) {
        if let Ok(order) = std::env::var(VARIABLE) {
            let (last, folder) = order.split_once(' ').unwrap();
            die_before(last.parse().unwrap(), || act(Path::new(folder)));
            return;
        }
        for last in 0.. {
            let folder = prepare();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test])
                .env(VARIABLE, format!("{last} {}", folder.path().display()))
                .stdout(Stdio::null())
                .status()
                .unwrap();
            check(folder.path(), status.success());
            if status.success() {
                assert!(last > 2, "too few steps: is `{test}` the test's name?");
                return;
            }
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(9),
                "it failed by itself"
            );
        }
    }

    /// True in a process that [`everywhere`] began.
    pub(crate) fn is_cut_off() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    fn die_before(last: usize, act: impl FnOnce()) {
        let left = std::cell::Cell::new(last);
        steps_of(act, move |_| {
            if left.get() == 0 {
                // Nothing is flushed, dropped or caught.
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            }
            left.set(left.get() - 1);
        });
    }
}
