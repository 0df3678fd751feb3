//! `sightline detect`.

use anyhow::bail;
use serde::Serialize;
use sightline_infer::Detector;
use sightline_vision::Picture;

use crate::args::{Arguments, Detect, Output};
use crate::commands::picture;
use crate::config::{Config, Resolved};
use crate::output;

#[derive(Serialize)]
struct Found {
    file: String,
    width: u32,
    height: u32,
    faces: Vec<FoundFace>,
}

#[derive(Serialize)]
struct FoundFace {
    #[serde(rename = "box")]
    bbox: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 5],
}

/// Goes on after a picture that cannot be read, and fails at the end.
pub(crate) fn run(arguments: &Arguments, config: &Config, detect: &Detect) -> anyhow::Result<()> {
    let resolved = Resolved::new(config)?;
    let wanted = picture::detector_config(&resolved, &detect.detector)?;
    let mut detector = Detector::open(&Resolved::runtime(config)?, &resolved.store, &wanted)?;
    let (mut found, mut unreadable) = (Vec::new(), 0);
    for path in &detect.images {
        let image = match picture::read(path) {
            Ok(image) => image,
            Err(error) => {
                output::error(&format!("{error:#}"));
                unreadable += 1;
                continue;
            }
        };
        let faces = detector.detect(Picture::Rgb(&image))?;
        let faces = faces.iter().map(|face| {
            let (bbox, landmarks) = picture::coordinates(face);
            FoundFace { bbox, score: face.score, landmarks }
        });
        let faces = faces.collect();
        let one = Found { file: path.display().to_string(), width: image.width(), height: image.height(), faces };
        match arguments.output {
            Output::Json => output::json(&one)?,
            Output::Table => found.push(one),
        }
    }
    let printed = if arguments.output == Output::Table { table(&found) } else { Ok(()) };
    // Also when nobody reads what is printed.
    if unreadable > 0 {
        bail!("{unreadable} of {} pictures could not be read", detect.images.len());
    }
    Ok(printed?)
}

fn table(found: &[Found]) -> std::io::Result<()> {
    let rows = found.iter().flat_map(|one| {
        let row = |face: &FoundFace| {
            let [x1, y1, x2, y2] = face.bbox;
            vec![
                one.file.clone(),
                format!("{:.3}", face.score),
                format!("{x1:.0},{y1:.0}"),
                format!("{:.0}x{:.0}", x2 - x1, y2 - y1),
            ]
        };
        let none = one.faces.is_empty().then(|| vec![one.file.clone(), "no face".to_owned()]);
        one.faces.iter().map(row).chain(none).collect::<Vec<_>>()
    });
    output::table(&["file", "score", "position", "size"], &rows.collect::<Vec<_>>())
}
