//! `sightline embed`.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;
use sightline_infer::{Detector, Embedder, FaceCrop, assess_faces};
use sightline_vision::{Picture, QualityGates, RgbImage};

use crate::args::{Arguments, Embed, Output};
use crate::commands::picture;
use crate::config::{Config, Resolved};
use crate::output;

/// Most faces of one inference, as in the embed stage.
const BATCH: usize = 8;

#[derive(Serialize)]
struct Embedded {
    file: String,
    faces: Vec<EmbeddedFace>,
}

#[derive(Serialize)]
struct EmbeddedFace {
    /// The whole picture with `--aligned`.
    #[serde(rename = "box")]
    bbox: [f32; 4],
    embedding: Vec<f32>,
}

struct Models {
    detector: Option<Detector>,
    embedder: Embedder,
}

/// Goes on after a picture that cannot be used, and fails at the end.
pub(crate) fn run(arguments: &Arguments, config: &Config, embed: &Embed) -> anyhow::Result<()> {
    let resolved = Resolved::new(config)?;
    let id = embed.embedder.as_deref().unwrap_or(&resolved.embedder);
    resolved.store.embedder(id)?;
    let wanted = picture::detector_config(&resolved, &embed.detector)?;
    let runtime = Resolved::runtime(config)?;
    let embedder = Embedder::open(&runtime, &resolved.store, id)?;
    let open_detector = || Detector::open(&runtime, &resolved.store, &wanted);
    let detector = (!embed.aligned).then(open_detector).transpose()?;
    let mut models = Models { detector, embedder };
    let (mut rows, mut failed) = (Vec::new(), 0);
    for path in &embed.images {
        let one = match models.embed(path) {
            Ok(faces) => Embedded { file: path.display().to_string(), faces },
            Err(error) => {
                output::error(&format!("{error:#}"));
                failed += 1;
                continue;
            }
        };
        match arguments.output {
            Output::Json => output::json(&one)?,
            Output::Table => rows.extend(one.faces.iter().map(|face| row(&one.file, face))),
        }
    }
    let head = ["file", "position", "size", "embedding"];
    let printed = if arguments.output == Output::Table { output::table(&head, &rows) } else { Ok(()) };
    // Also when nobody reads what is printed.
    if failed > 0 {
        bail!("{failed} of {} pictures could not be used", embed.images.len());
    }
    Ok(printed?)
}

fn row(file: &str, face: &EmbeddedFace) -> Vec<String> {
    let [x1, y1, x2, y2] = face.bbox;
    let numbers: Vec<String> = face.embedding.iter().take(4).map(|value| format!("{value:.4}")).collect();
    let numbers = format!("{} … ({} numbers)", numbers.join(" "), face.embedding.len());
    vec![file.to_owned(), format!("{x1:.0},{y1:.0}"), format!("{:.0}x{:.0}", x2 - x1, y2 - y1), numbers]
}

impl Models {
    fn embed(&mut self, path: &Path) -> anyhow::Result<Vec<EmbeddedFace>> {
        let image = picture::read(path)?;
        match &mut self.detector {
            None => {
                let bbox = [0.0, 0.0, image.width() as f32, image.height() as f32];
                let vector = self.embedder.embed_inputs(&[image])?.into_iter().next().context("no answer")?;
                let embedding = vector.with_context(|| path.display().to_string())?;
                Ok(vec![EmbeddedFace { bbox, embedding }])
            }
            Some(detector) => {
                let found = detector.detect(Picture::Rgb(&image))?;
                let name = detector.model_id().as_str().to_owned();
                self.embed_faces(&image, found, &name).with_context(|| path.display().to_string())
            }
        }
    }

    /// Every face, also those too small or blurred to be enrolled: this command measures, it does not judge.
    fn embed_faces(
        &mut self,
        image: &RgbImage,
        found: Vec<sightline_infer::Detection>,
        detector: &str,
    ) -> anyhow::Result<Vec<EmbeddedFace>> {
        let assessed = assess_faces(Picture::Rgb(image), found, &QualityGates::default());
        let mut faces = Vec::new();
        for some in assessed.chunks(BATCH) {
            let crops: Vec<FaceCrop<'_>> = some
                .iter()
                .map(|face| FaceCrop {
                    image: &face.cut.image,
                    face: face.cut.face,
                    landmarks: face.cut.landmarks,
                    detector,
                })
                .collect();
            for (face, vector) in some.iter().zip(self.embedder.embed_crops(&crops)?) {
                faces.push(EmbeddedFace { bbox: face.detection.bbox.to_array(), embedding: vector? });
            }
        }
        Ok(faces)
    }
}
