//! The one place where a panic of the core is caught: it becomes a value that names what was being done.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The core panicked. Whatever it was working on must not be used again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} panicked: {why}")]
pub(crate) struct Panicked {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// Calls into the core. The caller must throw away what `call` has touched if this is an error; that is why the unwind
/// safety may be asserted.
pub(crate) fn guarded<T>(what: &'static str, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let why = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
        Panicked { what, why }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_value_that_says_where() {
        let caught = guarded("the engine", || -> u8 { panic!("at input {}", 7) });
        assert_eq!(caught.map_err(|panicked| panicked.to_string()), Err("the engine panicked: at input 7".to_owned()));
        assert_eq!(guarded("the engine", || 1), Ok(1));
    }
}
