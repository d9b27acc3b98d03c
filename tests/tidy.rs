//! The shape of the source is a promise to whoever carries on the work: small files, one idea each.

use std::fs;
use std::path::{Path, PathBuf};

/// No source file is longer; past this it is no longer one idea.
const LINES_MAX: usize = 500;
/// Half of the files stay under this.
const LINES_MEDIAN_MAX: usize = 200;

#[test]
fn source_files_stay_small() {
    let mut lengths: Vec<(usize, PathBuf)> = sources()
        .into_iter()
        .map(|path| (fs::read_to_string(&path).expect("a source file is UTF-8").lines().count(), path))
        .collect();
    lengths.sort();
    assert!(lengths.len() > 50, "the sources were found");
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:#?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median <= LINES_MEDIAN_MAX, "the median is {median} lines, more than {LINES_MEDIAN_MAX}");
}

#[test]
fn nothing_is_left_half_done() {
    let marks = ["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore"];
    let mut found = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file is UTF-8");
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every Rust file under `crates/` and `examples/`.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["/crates", "/examples"] {
        collect(Path::new(&format!("{}{folder}", env!("CARGO_MANIFEST_DIR"))), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository is readable") {
        let path = entry.expect("an entry of a folder is readable").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
