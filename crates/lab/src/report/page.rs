//! One HTML page: everything inside the file, nothing run, nothing fetched.

use std::path::Path;

use serde_json::Value;

use super::envelope::Run;
use super::figure::Figure;
use super::pictures::{self, Mistake};
use super::plot;
use super::table::Table;
use super::text::escape;
use crate::whole::{self, WriteError};

const STYLE: &str = include_str!("page.css");

/// A page under way. What is added comes in that order.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    lead: String,
    sections: Vec<String>,
    body: String,
}

impl Page {
    /// A page with a title.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: escape(title), lead: String::new(), sections: Vec::new(), body: String::new() }
    }

    /// Starts a section. Two or more of them get a table of contents.
    pub fn section(&mut self, title: &str) -> &mut Self {
        let title = escape(title);
        let heading = format!("<h2 id=\"section-{}\">{title}</h2>\n", self.sections.len() + 1);
        self.sections.push(title);
        self.add(&heading)
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.add(&format!("<p>{}</p>\n", escape(text)))
    }

    /// Adds a paragraph that must not be overlooked.
    pub fn warning(&mut self, text: &str) -> &mut Self {
        self.add(&format!("<p class=\"warning\">{}</p>\n", escape(text)))
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) -> &mut Self {
        self.add(&table.html())
    }

    /// Adds a picture.
    pub fn figure(&mut self, figure: &Figure) -> &mut Self {
        self.add(&figure.html())
    }

    /// Adds a grid of mistakes.
    pub fn mistakes(&mut self, mistakes: &[Mistake]) -> &mut Self {
        self.add(&pictures::html(mistakes))
    }

    /// Says under the title what was run and when, and adds a section with all that is needed to repeat it.
    pub fn run(&mut self, run: &Run) -> &mut Self {
        let seconds = run.took_seconds;
        self.lead = escape(&format!("sightline lab {} · {} · {seconds:.1} s", run.command, run.started));
        if !run.complete {
            let lead = "This run was interrupted: the results are those of the part that was done.";
            self.body.insert_str(0, &format!("<p class=\"warning\">{lead}</p>\n"));
        }
        let rows = facts(run)
            .into_iter()
            .map(|(name, value)| format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(&name), escape(&value)));
        let rows: String = rows.collect();
        self.section("How this was measured")
            .add(&format!("<table class=\"facts\">\n<tbody>\n{rows}</tbody></table>\n"))
    }

    fn add(&mut self, html: &str) -> &mut Self {
        self.body.push_str(html);
        self
    }

    /// The whole page.
    #[must_use]
    pub fn html(&self) -> String {
        let lead = if self.lead.is_empty() { String::new() } else { format!("<p class=\"lead\">{}</p>\n", self.lead) };
        // The policy holds the browser to it: no script, nothing from elsewhere.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
             style-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{colours}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
             {lead}{contents}</header>\n<main>\n{body}</main>\n</body>\n</html>\n",
            title = self.title,
            colours = plot::styles(),
            contents = self.contents(),
            body = self.body
        )
    }

    fn contents(&self) -> String {
        if self.sections.len() < 2 {
            return String::new();
        }
        let numbered = (1..).zip(&self.sections);
        let links: String =
            numbered.map(|(number, title)| format!("<li><a href=\"#section-{number}\">{title}</a></li>\n")).collect();
        format!("<nav><ul>\n{links}</ul></nav>\n")
    }
}

/// Writes the page, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_html(path: &Path, page: &Page) -> Result<(), WriteError> {
    whole::write(path, |file| file.write_all(page.html().as_bytes()))
}

/// What is known of a run, line by line.
fn facts(run: &Run) -> Vec<(String, String)> {
    let machine = &run.machine;
    let memory = machine.memory_bytes.map(|bytes| format!(", {:.1} GiB memory", bytes as f64 / 2_f64.powi(30)));
    let mut facts = vec![
        ("arguments".to_owned(), run.arguments.join(" ")),
        ("started".to_owned(), run.started.clone()),
        ("took".to_owned(), format!("{:.1} s", run.took_seconds)),
        ("pictures recalled from an earlier run".to_owned(), run.recalled.to_string()),
        ("seed".to_owned(), run.seed.map_or("none".to_owned(), |seed| seed.to_string())),
        ("processor".to_owned(), format!("{}, {} cores{}", machine.cpu, machine.cores, memory.unwrap_or_default())),
        ("system".to_owned(), format!("{}, {}, {}", machine.os, machine.kernel, machine.architecture)),
    ];
    facts.extend(run.versions.iter().map(|(name, version)| (format!("version of {name}"), version.clone())));
    facts.extend(run.models.iter().map(|model| (format!("model {}", model.name), model.sha256.clone())));
    settings(&mut facts, "", &run.settings);
    facts
}

/// Settings as `path.to.setting` and value.
fn settings(facts: &mut Vec<(String, String)>, path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                settings(facts, &path, field);
            }
        }
        Value::Null if path.is_empty() => {}
        Value::String(text) => facts.push((path.to_owned(), text.clone())),
        other => facts.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Page, write_html};
    use crate::report::{Column, Run, Table};

    #[test]
    fn a_page_runs_and_fetches_nothing() {
        let mut table = Table::new([Column::text("name")]);
        table.row(["<img src=http://elsewhere/x onerror=alert(1)>"]);
        let mut page = Page::new("</title><script>alert(1)</script>");
        page.section("<s>").text("<script>").warning("<w>").table(&table).mistakes(&[]);
        let html = page.html();
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<w>"), "{html}");
        assert!(html.contains("default-src 'none'"));
        let outside = |mark: &str| html.matches(mark).count();
        assert_eq!((outside("src=\""), outside("url("), outside("@import")), (0, 0, 0));
    }

    #[test]
    fn a_page_says_how_it_was_measured() {
        let run = Run::start("verify", "1.2.3").model("facenet", "ab12").seeded(7);
        let mut run = run.settings(&json!({"detector": {"name": "mtcnn", "sizes": [1, 2]}})).unwrap();
        run.finish();
        let mut page = Page::new("t");
        let html = page.section("first").run(&run).html();
        for text in ["ab12", "detector.name", "mtcnn", "[1,2]", "1.2.3", "#section-2", "sightline lab verify"] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("interrupted"));
    }

    #[test]
    fn an_interrupted_run_is_told_first() {
        let mut run = Run::start("collect", "1");
        run.interrupt();
        let mut page = Page::new("t");
        let html = page.section("first").run(&run).html();
        assert!(html.find("interrupted").unwrap() < html.find("section-1\">first</h2>").unwrap(), "{html}");
    }

    #[test]
    fn a_page_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_html(&path, &Page::new("t")).unwrap();
        assert!(std::fs::read_to_string(path).unwrap().ends_with("</html>\n"));
    }
}
