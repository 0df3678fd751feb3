//! What all commands print and write in the same way.

use std::io::Write as _;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::OutputArguments;
use crate::report::{Page, Run, Table, write_html, write_json};

/// A line to standard error, beside what is measured.
pub(super) fn note(text: &str) {
    // Nothing can be done about a terminal that is gone.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Tables on standard output, an empty line between two.
fn print<'a>(tables: impl IntoIterator<Item = &'a Table>) -> std::io::Result<()> {
    for (index, table) in tables.into_iter().enumerate() {
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

/// All of these together: what has failed, each in its words.
pub(super) fn together(outcomes: impl IntoIterator<Item = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut errors: Vec<anyhow::Error> = outcomes.into_iter().filter_map(Result::err).collect();
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(anyhow!(errors.iter().map(in_words).collect::<Vec<_>>().join("; "))),
    }
}

/// Writes the files that were asked for, then prints the tables. Each is tried, whatever becomes of the others: a terminal that is gone
/// costs no file.
///
/// # Errors
/// All of what went wrong.
pub(super) fn finish<'a>(
    arguments: &OutputArguments,
    (run, results): (&Run, &impl Serialize),
    tables: impl IntoIterator<Item = &'a Table>,
    page: impl FnOnce() -> anyhow::Result<Page>,
) -> anyhow::Result<()> {
    let json = arguments.json.as_ref().map_or(Ok(()), |file| Ok(write_json(file, run, results)?));
    let html = arguments.html.as_ref().map_or(Ok(()), |file| Ok(write_html(file, &page()?)?));
    together([json, html, print(tables).context("cannot print the tables")])
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{OutputArguments, finish, in_words};
    use crate::report::{Page, Run};

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

    #[test]
    fn a_file_that_cannot_be_written_costs_no_other_and_all_errors_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, other, page] = ["no/r.json", "no/r.html", "r.html"].map(|name| folder.path().join(name));
        let write = |json: &std::path::Path, html: &std::path::Path| {
            let arguments = OutputArguments { json: Some(json.to_owned()), html: Some(html.to_owned()) };
            finish(&arguments, (&Run::start("x", "1"), &[1]), [], || Ok(Page::new("t")))
        };
        let error = write(&missing, &page).unwrap_err().to_string();
        assert!(error.contains("no/r.json") && page.is_file(), "{error}");
        let error = write(&missing, &other).unwrap_err().to_string();
        assert!(error.contains("no/r.json") && error.contains("no/r.html"), "{error}");
    }
}
