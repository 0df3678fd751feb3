//! What the commands print: tables for people, JSON for programs. The only place that writes to standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// Whoever read standard output has gone away, as `head` does when it has enough. That ends the command, but is no failure.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
struct ReaderGone;

/// One line to standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone),
        _ => error,
    })
}

/// Whether a command ended only because nobody reads what it prints. A connection that broke is another thing.
pub(crate) fn reader_has_gone(error: &anyhow::Error) -> bool {
    let inner = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<ReaderGone>())
    };
    error.chain().any(inner)
}

/// One line to standard error.
pub(crate) fn error(text: &str) {
    // Nothing can be done about a terminal that is gone.
    drop(writeln!(io::stderr().lock(), "sightline: {text}"));
}

/// One JSON value on one line.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(line(&serde_json::to_string(value)?)?)
}

/// Columns as wide as their widest cell, the head first; an empty table says so.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    if rows.is_empty() {
        return line("nothing");
    }
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        line(padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    print(head.to_vec())?;
    rows.iter().try_for_each(|row| print(row.iter().map(String::as_str).collect()))
}
