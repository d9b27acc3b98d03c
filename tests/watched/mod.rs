//! An allocator that counts, thread by thread, so that tests that run beside each other do not count each other's memory.
#![allow(dead_code, unreachable_pub, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Watched;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        PEAK.set(PEAK.get().max(LIVE.get()));
        CALLS.set(CALLS.get() + 1);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Bytes that this thread holds.
pub fn live() -> usize {
    LIVE.get()
}

/// How often this thread has allocated.
pub fn calls() -> usize {
    CALLS.get()
}

/// How many bytes more than before were live at the highest, and in how many calls.
pub fn spent<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let (before, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(before);
    let result = work();
    (PEAK.get().wrapping_sub(before), CALLS.get() - calls, result)
}
