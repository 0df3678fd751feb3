//! The stage's metrics.
#![expect(clippy::disallowed_macros, reason = "the one place of this crate where metrics are declared")]

use metrics::Counter;

/// Handles of one stage.
pub(crate) struct EmbedMetrics {
    /// `sightline_embed_faces_total{model,result="ok"}`: vectors made.
    pub(crate) embedded: Counter,
    /// `…{result="rejected"}`: crops without a vector.
    pub(crate) rejected: Counter,
}

impl EmbedMetrics {
    /// Handles with the embedder's model as their label.
    pub(crate) fn new(model: &str) -> Self {
        let faces = |result: &'static str| metrics::counter!("sightline_embed_faces_total", "model" => model.to_owned(), "result" => result);
        Self { embedded: faces("ok"), rejected: faces("rejected") }
    }
}

impl std::fmt::Debug for EmbedMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbedMetrics")
    }
}
