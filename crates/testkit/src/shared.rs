//! The shared reference data, which is not part of the repository: tests that need it are skipped, said and counted where it is
//! absent.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The folder named by `SIGHTLINE_SHARED`, else `../shared` beside the checkout, if it is there.
#[must_use]
pub fn shared_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SIGHTLINE_SHARED").map_or(beside, PathBuf::from);
    folder.join("golden").is_dir().then_some(folder)
}

/// The folder, or None after saying that `test` is skipped; `cargo xtask test` counts and names these at the end.
#[must_use]
pub fn shared_or_skip(test: &str) -> Option<PathBuf> {
    let folder = shared_data();
    if folder.is_none() {
        skip(test, "../shared");
    }
    folder
}

/// Says that `test` is skipped because it needs something that is not here.
pub fn skip(test: &str, needs: &str) {
    let line = format!("SKIPPED {test}: needs {needs}\n");
    print!("{line}");
    if let Some(log) = std::env::var_os("SIGHTLINE_SKIP_LOG") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "{} cannot be written: {written:?}", log.display());
    }
}
