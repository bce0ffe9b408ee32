//! Named points at which a test has the process send itself a signal, such as SIGKILL.
//!
//! Only debug builds with the feature `failpoints` have them: `TOWPATH_FAILPOINT=before-commit:9:3` sends signal 9 when
//! that point is reached for the third time.

/// Marks a point that tests name. It compiles to nothing in every other build.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(all(feature = "failpoints", debug_assertions))]
        $crate::failpoint::reach($name);
    };
}

/// Sends the signal if this point was named and is reached for the given time.
#[cfg(all(feature = "failpoints", debug_assertions))]
pub(crate) fn reach(name: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static REACHED: AtomicUsize = AtomicUsize::new(0);
    let Ok(wanted) = std::env::var("TOWPATH_FAILPOINT") else { return };
    let mut parts = wanted.split(':');
    if parts.next() != Some(name) {
        return;
    }
    let mut number = || parts.next().and_then(|part| part.parse::<i32>().ok());
    let (Some(signal), Some(time)) = (number().and_then(rustix::process::Signal::from_named_raw), number()) else {
        return;
    };
    if i32::try_from(REACHED.fetch_add(1, Relaxed)).is_ok_and(|before| before + 1 == time) {
        // To this process: it fails only for an invalid signal, and then the test fails.
        let _sent = rustix::process::kill_process(rustix::process::getpid(), signal);
    }
}
