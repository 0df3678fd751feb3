//! What all commands print and write in the same way.

use std::io::Write as _;

use serde::Serialize;

use super::OutputArguments;
use crate::report::{Page, Run, Table, write_html, write_json};

/// A line to standard error, beside what is measured.
pub(super) fn note(text: &str) {
    // Nothing can be done about a terminal that is gone.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Tables on standard output, an empty line between two.
pub(super) fn print(tables: &[Table]) -> std::io::Result<()> {
    for (index, table) in tables.iter().enumerate() {
        if index > 0 {
            writeln!(std::io::stdout().lock())?;
        }
        table.print()?;
    }
    Ok(())
}

/// An error with its causes, each said once: many errors say their cause themselves.
#[must_use]
pub fn in_words(error: &anyhow::Error) -> String {
    let causes = error.chain().skip(1).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::in_words;

    #[test]
    fn causes_are_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read a.jpg: {source}")]
        struct Saying {
            source: std::io::Error,
        }
        let source = std::io::Error::other("no such file");
        let error = Err::<(), _>(Saying { source }).context("a folder").unwrap_err();
        assert_eq!(in_words(&error), "a folder: cannot read a.jpg: no such file");
    }
}
