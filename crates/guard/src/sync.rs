//! Where threads meet: every lock and atomic of a guard's state comes from here.
//!
//! The tests of this crate get shuttle's in their place, which tries the ways in which threads can take turns
//! (`interleavings.rs`); everybody else gets the system's.

pub(crate) use kind::{
    ArcSwap, AtomicI64, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, RwLock, place, threads,
};

#[cfg(not(test))]
mod kind {
    pub(crate) use arc_swap::ArcSwap;
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;
    pub(crate) use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

    static NEXT: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// A number for this thread, from 0 on.
    #[inline]
    pub(crate) fn place() -> usize {
        PLACE.with(|place| {
            if place.get() == usize::MAX {
                place.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            place.get()
        })
    }

    /// How many threads run at once.
    pub(crate) fn threads() -> usize {
        std::thread::available_parallelism().map_or(4, usize::from)
    }
}

#[cfg(test)]
mod kind {
    pub(crate) use shuttle::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock};
    use std::sync::Arc;
    pub(crate) use std::sync::PoisonError;

    pub(crate) fn place() -> usize {
        shuttle::current::me().into()
    }

    pub(crate) fn threads() -> usize {
        2
    }

    /// As `arc_swap`'s: whoever has loaded a value keeps it while others put another in its place.
    #[derive(Debug)]
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(value: T) -> ArcSwap<T> {
            ArcSwap(Mutex::new(Arc::new(value)))
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }
    }
}
