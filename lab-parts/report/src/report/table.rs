//! One table, printed on a terminal or put into a page.

use std::fmt;
use std::io::{self, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment};

use super::text::{clean, escape};

/// A column: its head, and where its cells stand.
#[derive(Clone, Debug)]
pub struct Column {
    head: String,
    number: bool,
}

impl Column {
    /// A column of words, to the left.
    #[must_use]
    pub fn text(head: &str) -> Self {
        Self { head: clean(head), number: false }
    }

    /// A column of numbers, to the right.
    #[must_use]
    pub fn number(head: &str) -> Self {
        Self { head: clean(head), number: true }
    }
}

/// Rows under a head. `Display` gives columns as wide as their widest cell, as the other commands print them; a name
/// in wide letters (Chinese, say) takes the two places that it takes on the terminal.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the last column are dropped, missing ones stay empty.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| clean(cell.as_ref())).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
        self
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it on standard output.
    ///
    /// # Errors
    /// When the reader has gone away.
    pub fn print(&self) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{self}")
    }

    /// As HTML.
    pub(crate) fn html(&self) -> String {
        if self.is_empty() {
            return "<p class=\"nothing\">nothing</p>\n".to_owned();
        }
        let class = |column: &Column| if column.number { " class=\"number\"" } else { "" };
        let line = |tag: &str, cells: &mut dyn Iterator<Item = &String>| -> String {
            let cells = self.columns.iter().zip(cells);
            cells.map(|(column, cell)| format!("<{tag}{}>{}</{tag}>", class(column), escape(cell))).collect()
        };
        let head = line("th", &mut self.columns.iter().map(|column| &column.head));
        let rows = self.rows.iter().map(|row| format!("<tr>{}</tr>\n", line("td", &mut row.iter())));
        format!(
            "<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
            rows.collect::<String>()
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_header(self.columns.iter().map(|column| Cell::new(&column.head)));
        table.add_rows(&self.rows);
        for (shown, column) in table.column_iter_mut().zip(&self.columns) {
            shown.set_padding((0, 2));
            if column.number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Table};

    fn table(rows: &[[&str; 2]]) -> Table {
        let mut table = Table::new([Column::text("name"), Column::number("rate")]);
        for row in rows {
            table.row(row);
        }
        table
    }

    #[test]
    fn words_stand_left_and_numbers_right() {
        let text = table(&[["facenet", "0.9917"], ["dlib", "1"]]).to_string();
        assert_eq!(text, "name       rate\nfacenet  0.9917\ndlib          1");
    }

    #[test]
    fn wide_letters_take_two_places() {
        let text = table(&[["王小明", "1"], ["Al", "2"]]).to_string();
        assert_eq!(text, "name    rate\n王小明     1\nAl         2");
    }

    #[test]
    fn a_name_cannot_speak_to_the_terminal() {
        let text = table(&[["a\u{1b}[2Jb\nc", "1"]]).to_string();
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&[]).to_string(), "nothing");
        assert!(table(&[]).html().contains("nothing"));
    }

    #[test]
    fn rows_that_are_too_long_or_too_short_do_no_harm() {
        let mut table = Table::new([Column::text("a"), Column::text("b")]);
        table.row(["1"]).row(["1", "2", "3"]);
        assert_eq!(table.to_string(), "a  b\n1\n1  2");
    }

    #[test]
    fn html_is_escaped() {
        let html = table(&[["<b>&", "1"]]).html();
        assert!(html.contains("<td>&lt;b&gt;&amp;</td><td class=\"number\">1</td>"), "{html}");
    }
}
