//! The latest version of a value: written whole, read by copying a pointer.

use std::sync::{Arc, PoisonError, RwLock};

/// The latest version of a value.
#[derive(Debug)]
pub struct Latest<T>(RwLock<Arc<T>>);

impl<T> Latest<T> {
    /// With a first version.
    pub fn new(value: T) -> Latest<T> {
        Latest(RwLock::new(Arc::new(value)))
    }

    /// The version that is the latest now.
    pub fn get(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub fn set(&self, value: T) {
        let value = Arc::new(value);
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), value);
        // Outside the lock: freeing a large graph takes a while.
        drop(before);
    }
}

impl<T: Default> Default for Latest<T> {
    fn default() -> Self {
        Latest::new(T::default())
    }
}
