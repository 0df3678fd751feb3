//! Text from outside made fit to show: no control characters, no markup, not too long.

use unicode_width::UnicodeWidthChar as _;

/// Replaces what would act instead of being read: control characters, and marks that turn the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    let acts = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if acts(c) { '\u{fffd}' } else { c }).collect()
}

/// Clean text for HTML, as content and inside double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// How wide text is, in units of its size. An estimate on the wide side (DejaVu Sans): the reader's font is unknown.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' | ' ' => 0.38,
        'f' | 't' | 'r' | '-' | '(' | ')' | '/' => 0.45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' => 0.74,
        _ => match c.width() {
            Some(0) => 0.0,
            Some(2) => 1.05,
            _ => 0.66,
        },
    }
}

/// A number with four digits that matter, without zeros at its end.
pub(crate) fn number(value: f64) -> String {
    let magnitude = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if !(-5.0..9.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Text no wider than so many times its size. The middle goes: names often differ at their ends alone.
pub(crate) fn shorten(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let half = (room - width("…")) / 2.0;
    let head = fit(text.chars(), half);
    let tail: Vec<char> = fit(text.chars().rev(), half).chars().rev().collect();
    format!("{head}…{}", tail.into_iter().collect::<String>())
}

fn fit(chars: impl Iterator<Item = char>, room: f64) -> String {
    let mut used = 0.0;
    let fits = |c: &char| {
        used += char_width(*c);
        used <= room
    };
    chars.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::{clean, escape, number, shorten, width};

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape(r#"<script>alert("a & 'b'")</script>"#),
            "&lt;script&gt;alert(&quot;a &amp; &#39;b&#39;&quot;)&lt;/script&gt;"
        );
    }

    #[test]
    fn escape_sequences_and_direction_marks_do_nothing() {
        assert_eq!(clean("a\u{1b}[31mb\r\n\u{202e}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}c");
        assert_eq!(clean("Zoë 王"), "Zoë 王");
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 10.0 / 3000.0, 0.25, 21.0, 340.04, 123_456.7, -1.5, 1e-7, 3e12].map(number);
        assert_eq!(texts, ["0", "0.003333", "0.25", "21", "340", "123457", "-1.5", "1.000e-7", "3.000e12"]);
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shorten("short", 10.0), "short");
        let short = shorten("a-detector-with-a-very-long-name-v2", 10.0);
        assert!(width(&short) <= 10.0, "{short}");
        assert!(short.starts_with("a-d") && short.contains('…') && short.ends_with("-v2"), "{short}");
        assert_eq!(shorten("anything", 0.0), "…");
    }
}
