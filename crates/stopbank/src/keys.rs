//! Keys: made from the operating system's entropy, read from files.

use crate::exit::Failure;
use control::{Keyring, Signer};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// 32 bytes of entropy.
///
/// # Errors
/// When the system gives none.
pub(crate) fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut entropy| entropy.read_exact(&mut seed));
    read.map_err(|error| Failure::job(format!("/dev/urandom: {error}")))?;
    Ok(seed)
}

/// The signer whose private key stands in `path`.
///
/// # Errors
/// When the file cannot be read or is no key.
pub(crate) fn signer(path: &str) -> Result<Signer, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
    let seed = control::parse_seed(&text).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
    Ok(Signer::from_seed(seed))
}

/// The public keys that stand in `path`.
///
/// # Errors
/// When the file cannot be read or a line of it is no key.
pub(crate) fn keyring(path: &Path) -> Result<Keyring, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    control::parse_keyring(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))
}
