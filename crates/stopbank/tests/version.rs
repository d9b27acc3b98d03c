//! The program says its version. (A test of this package also makes `cargo test` build the program for the tests in the
//! root package.)

use std::process::Command;

#[test]
fn the_program_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_stopbank")).arg("--version").output().expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), concat!("stopbank ", env!("CARGO_PKG_VERSION")));
}
