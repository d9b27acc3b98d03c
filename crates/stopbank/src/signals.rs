//! SIGINT and SIGTERM: the first asks for a drain, the second forces the end.

use crate::exit::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What was asked for so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    count: Arc<AtomicUsize>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> Result<Signals, Failure> {
        let signals = Signals::default();
        let mut heard = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let shared = signals.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in heard.forever() {
                if signal == SIGHUP {
                    shared.reload.store(true, Ordering::Relaxed);
                } else {
                    shared.count.fetch_add(1, Ordering::Relaxed);
                }
            }
        })?;
        Ok(signals)
    }

    /// Was an end asked for?
    pub(crate) fn asked(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Was it asked for again?
    pub(crate) fn forced(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// Was a reload asked for since the last call?
    pub(crate) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}
