//! The demo's HTML page: one card a visit, with its best shot, in one file without any network.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::summary::{Summary, Visit};

const STYLE: &str = "body{font:16px system-ui,sans-serif;margin:2rem;background:#f6f7f9;color:#1b1f24}\
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:1rem}\
article{background:#fff;border-radius:8px;overflow:hidden;box-shadow:0 1px 3px #0003}\
img,.none{width:100%;aspect-ratio:1;object-fit:cover;display:block;background:#ccd}\
div{padding:.6rem .8rem}b{display:block}small{color:#57606a}.known b{color:#116329}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}article{background:#161b22}small{color:#8b949e}\
.known b{color:#3fb950}}";

/// Writes the page; pictures come from `shots/<visit>.jpg` and are put into the page itself.
pub(super) fn write(path: &Path, summary: &Summary, shots: &Path) -> Result<()> {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Sightline demo</title><style>{STYLE}</style><h1>Who was seen where</h1><main>"
    );
    for visit in &summary.visits {
        let who = visit.name.clone().or_else(|| visit.unknown_id.clone()).unwrap_or_else(|| visit.outcome.clone());
        let score = visit.score.map(|s| format!(" · {s:.2}")).unwrap_or_default();
        // Writing into a String cannot fail.
        let _infallible = write!(
            page,
            "<article class=\"{}\">{}<div><b>{}</b><small>{}{score}<br>{}</small></div></article>",
            escape(&visit.outcome),
            picture(visit, shots),
            escape(&who),
            escape(&visit.camera),
            escape(&visit.first_seen)
        );
    }
    page.push_str("</main></html>\n");
    std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn picture(visit: &Visit, shots: &Path) -> String {
    match std::fs::read(shots.join(format!("{}.jpg", visit.id))) {
        Ok(bytes) => format!("<img alt=\"best shot\" src=\"data:image/jpeg;base64,{}\">", STANDARD.encode(&bytes)),
        Err(_) => "<p class=\"none\"></p>".into(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_cannot_break_out_of_the_page() {
        assert_eq!(escape("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
