//! The faces that the pipeline would use, with their vectors and what each counts when a visit is fused.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use sightline_vision::{QualityGates, weight_of};

use super::super::{embed, output};
use super::Arguments;
use super::visits::Face;
use crate::crops::{self, Finder};
use crate::dataset::Dataset;
use crate::progress::Progress;
use crate::report::Run;

/// What became of the pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pictures {
    /// All of the data set.
    pub all: usize,
    /// With a face that counts.
    pub used: usize,
    /// Without a face, or unreadable.
    pub without_face: usize,
    /// With a face that the pipeline would not use, by the gate that it fails.
    pub refused: BTreeMap<&'static str, usize>,
}

/// The faces, and the run with the models noted.
pub(super) struct Found {
    pub(super) faces: Vec<Face>,
    pub(super) pictures: Pictures,
    pub(super) run: Run,
}

/// Embeds the pictures and weighs their faces. What does not count is said.
pub(super) fn find(arguments: &Arguments, run: Run, dataset: &Dataset) -> anyhow::Result<Found> {
    let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
    let (outcomes, run) = embed(&arguments.models, run, (dataset.root(), &files))?;
    let gates = QualityGates { min_size: arguments.least_face as f32, ..QualityGates::default() };
    let models = arguments.models.open()?;
    let progress = Progress::new("quality", files.len() as u64);
    let look = |finder: &mut Finder, path: &Path| {
        let Ok(image) = crops::read(path) else { return Ok(None) };
        Ok(finder.find(&image, &gates)?.ok().map(|face| (face.quality.score, face.flaw)))
    };
    let start = || Finder::open(&models);
    let seen = crops::each((dataset.root(), &files), arguments.models.threads(), &progress, start, look)?;
    drop(progress);
    let mut pictures = Pictures { all: files.len(), used: 0, without_face: 0, refused: BTreeMap::new() };
    let mut faces = Vec::new();
    for ((sample, outcome), seen) in dataset.samples().iter().zip(outcomes).zip(seen) {
        match (outcome.vector(), seen) {
            (Some(_), Some((_, Some(flaw)))) => {
                *pictures.refused.entry(flaw.as_str()).or_insert(0) += 1;
                output::note(&format!("{}: {}, the pipeline would not use this face", sample.file, flaw.as_str()));
            }
            (Some(vector), Some((quality, None))) => faces.push(Face {
                person: sample.class,
                file: sample.file.clone(),
                weight: weight_of(quality),
                vector: vector.to_vec(),
            }),
            _ => pictures.without_face += 1,
        }
    }
    pictures.used = faces.len();
    if faces.is_empty() {
        bail!("none of {} pictures has a face that the pipeline would use: the reasons are above", pictures.all);
    }
    Ok(Found { faces, pictures, run })
}
