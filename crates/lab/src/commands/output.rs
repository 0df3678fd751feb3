//! What all commands print and write in the same way.

use std::io::Write as _;

use serde::Serialize;

use super::OutputArguments;
use crate::report::{Page, Run, write_html, write_json};

/// A line to standard error, beside what is measured.
pub(super) fn note(text: &str) {
    // Nothing can be done about a terminal that is gone.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// The files that were asked for.
pub(super) fn write(
    arguments: &OutputArguments,
    run: &Run,
    results: &impl Serialize,
    page: impl FnOnce() -> anyhow::Result<Page>,
) -> anyhow::Result<()> {
    if let Some(file) = &arguments.json {
        write_json(file, run, results)?;
    }
    if let Some(file) = &arguments.html {
        write_html(file, &page()?)?;
    }
    Ok(())
}
