//! Where a test can end the process: before every step that changes the disk. Elsewhere nothing of it is left.

/// The next change of the disk comes now.
#[cfg(not(test))]
#[inline]
pub(crate) const fn step(_: &'static str) {}

#[cfg(test)]
pub(crate) use at::{after, step, trace};

#[cfg(test)]
mod at {
    use std::cell::RefCell;

    thread_local! {
        static STEPS: RefCell<(Option<usize>, Vec<&'static str>)> = const { RefCell::new((None, Vec::new())) };
    }

    /// From now on this thread's process dies, as by `kill -9`, before the step after this many.
    pub(crate) fn after(steps: usize) {
        STEPS.with_borrow_mut(|state| *state = (Some(steps), Vec::new()));
    }

    /// The steps of this thread since the last time this was asked.
    pub(crate) fn trace() -> Vec<&'static str> {
        STEPS.with_borrow_mut(|(_, steps)| std::mem::take(steps))
    }

    /// The next change of the disk comes now.
    pub(crate) fn step(what: &'static str) {
        STEPS.with_borrow_mut(|(limit, steps)| {
            if *limit == Some(steps.len()) {
                // Nothing is flushed, dropped or caught.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
            steps.push(what);
        });
    }
}
