//! What the commands print: tables for people, JSON for programs. The only place that writes to standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// One line to standard output. A reader that has gone away, as `head` does, ends the program quietly with an error.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
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
