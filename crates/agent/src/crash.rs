//! Where a test can step in, or end the process: before every step that changes the disk. Elsewhere nothing of it is left.

/// The next change of the disk comes now.
#[cfg(not(test))]
#[inline]
pub(crate) const fn step(_: &'static str) {}

#[cfg(test)]
pub(crate) use at::{everywhere, step, steps_of};

#[cfg(test)]
mod at {
    use std::cell::RefCell;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    use tempfile::TempDir;

    /// `STEP FOLDER`: the process dies before this step of the act.
    const VARIABLE: &str = "LANTHORN_TEST_DIES_BEFORE";

    type Hook = Rc<dyn Fn(&'static str)>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// The next change of the disk comes now.
    pub(crate) fn step(what: &'static str) {
        // Not held while it runs: it may change the disk itself.
        let hook = HOOK.with_borrow(Clone::clone);
        if let Some(hook) = hook {
            hook(what);
        }
    }

    /// Does something on this thread, and calls `before` before each of its steps. The steps, in order.
    pub(crate) fn steps_of(act: impl FnOnce(), before: impl Fn(&'static str) + 'static) -> Vec<&'static str> {
        let steps = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&steps);
        let hook: Hook = Rc::new(move |what| {
            seen.borrow_mut().push(what);
            before(what);
        });
        HOOK.set(Some(hook));
        act();
        HOOK.set(None);
        steps.take()
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
