//! A picture with its title, its legend and what has to be said about it.

use super::plot::{INK, Paint};
use super::text::{clean, escape};

/// One picture of a page.
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    about: String,
    svg: Option<String>,
    keys: Vec<Key>,
    notes: Vec<String>,
    wide: bool,
}

impl Figure {
    pub(crate) fn new(title: &str, about: &str) -> Self {
        let svg = None;
        Self { title: clean(title), about: clean(about), svg, keys: Vec::new(), notes: Vec::new(), wide: false }
    }

    /// Changes the title and the sentence under it.
    #[must_use]
    pub fn titled(mut self, title: &str, about: &str) -> Self {
        (self.title, self.about) = (clean(title), clean(about));
        self
    }

    /// Adds a remark under the picture.
    #[must_use]
    pub fn note(mut self, text: &str) -> Self {
        self.notes.push(clean(text));
        self
    }

    pub(crate) fn drawn(mut self, svg: String, keys: Vec<Key>) -> Self {
        (self.svg, self.keys) = (Some(svg), keys);
        self
    }

    /// Keeps its size: a page that is too narrow scrolls it.
    pub(crate) fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// As HTML.
    pub(crate) fn html(&self) -> String {
        let about = if self.about.is_empty() { String::new() } else { format!("<p>{}</p>", escape(&self.about)) };
        let class = if self.wide { "scroll wide" } else { "scroll" };
        let picture = match &self.svg {
            Some(svg) => format!("<div class=\"{class}\">{svg}</div>\n"),
            None => "<p class=\"nothing\">Nothing to draw.</p>\n".to_owned(),
        };
        let keys: String = self.keys.iter().map(Key::html).collect();
        let legend = if keys.is_empty() { keys } else { format!("<ul class=\"legend\">\n{keys}</ul>\n") };
        let notes: String = self.notes.iter().map(|note| format!("<p class=\"note\">{}</p>\n", escape(note))).collect();
        let title = escape(&self.title);
        format!("<figure>\n<figcaption><h3>{title}</h3>{about}</figcaption>\n{picture}{legend}{notes}</figure>\n")
    }
}

/// A line of the legend.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    swatch: String,
    name: String,
    detail: String,
}

impl Key {
    /// For a curve, in its colour and stroke.
    pub(crate) fn line(paint: Paint, name: &str, detail: &str) -> Self {
        let code = paint.code();
        let line = format!("<polyline fill=\"none\" stroke=\"{code}\" stroke-width=\"10\" points=\"4,24 140,24\"/>");
        Self::new("key", 144, &line, name, detail)
    }

    /// For a point.
    pub(crate) fn dot(paint: Paint, name: &str, detail: &str) -> Self {
        Self::narrow(&format!("<circle cx=\"28\" cy=\"24\" r=\"22\" fill=\"{}\"/>", paint.code()), name, detail)
    }

    /// For an area.
    pub(crate) fn area(paint: Paint, name: &str, detail: &str) -> Self {
        let rectangle = "x=\"4\" y=\"0\" width=\"48\" height=\"48\"";
        Self::narrow(&format!("<rect {rectangle} fill=\"{}\" opacity=\"0.75\"/>", paint.code()), name, detail)
    }

    /// For a letter in the picture.
    pub(crate) fn mark(letter: &str, name: &str, detail: &str) -> Self {
        let place = "x=\"28\" y=\"42\" text-anchor=\"middle\" font-size=\"48\"";
        Self::narrow(&format!("<text {place} fill=\"{}\">{}</text>", INK.code(), escape(letter)), name, detail)
    }

    fn narrow(shape: &str, name: &str, detail: &str) -> Self {
        Self::new("key narrow", 56, shape, name, detail)
    }

    fn new(class: &str, width: u32, shape: &str, name: &str, detail: &str) -> Self {
        let swatch =
            format!("<svg class=\"plot {class}\" aria-hidden=\"true\" viewBox=\"0 0 {width} 48\">{shape}</svg>");
        Self { swatch, name: clean(name), detail: clean(detail) }
    }

    fn html(&self) -> String {
        let detail =
            if self.detail.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(&self.detail)) };
        format!("<li>{}<span>{}{detail}</span></li>\n", self.swatch, escape(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Key};
    use crate::report::plot::INK;

    #[test]
    fn everything_from_outside_is_escaped() {
        let figure = Figure::new("<t>", "<a>").drawn("<svg/>".to_owned(), vec![Key::dot(INK, "<k>", "<d>")]);
        let html = figure.note("<n>").html();
        for tag in ["t", "a", "k", "d", "n"] {
            assert!(html.contains(&format!("&lt;{tag}&gt;")) && !html.contains(&format!("<{tag}>")), "{tag}: {html}");
        }
        assert!(html.contains("<svg/>"));
    }

    #[test]
    fn without_a_picture_there_is_a_sentence() {
        assert!(Figure::new("t", "").html().contains("Nothing to draw."));
    }
}
