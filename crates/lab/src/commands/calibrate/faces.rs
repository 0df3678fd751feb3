//! The faces that the pipeline would use, with their vectors and what each counts when a visit is fused.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Serialize;
use sightline_vision::weight_of;

use super::super::{embed, output};
use super::Arguments;
use super::visits::Face;
use crate::dataset::Dataset;
use crate::faces::Outcome;
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
    pub refused: BTreeMap<String, usize>,
}

/// The faces, and the run with the models noted.
pub(super) struct Found {
    pub(super) faces: Vec<Face>,
    pub(super) pictures: Pictures,
    pub(super) run: Run,
}

/// Embeds the pictures, which are of these visits. What does not count is said.
pub(super) fn find(
    arguments: &Arguments,
    run: Run,
    dataset: &Dataset,
    visits: &[Option<usize>],
) -> anyhow::Result<Found> {
    let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
    let (outcomes, run) = embed(&arguments.models, run, (dataset.root(), &files))?;
    let mut pictures = Pictures { all: files.len(), used: 0, without_face: 0, refused: BTreeMap::new() };
    let mut faces = Vec::new();
    for ((sample, outcome), visit) in dataset.samples().iter().zip(outcomes).zip(visits) {
        let Outcome::Vector(vector, worth) = outcome else {
            pictures.without_face += 1;
            continue;
        };
        if let Some(flaw) = worth.flaw(arguments.least_face as f32) {
            output::note(&format!("{}: {flaw}, the pipeline would not use this face", sample.file));
            *pictures.refused.entry(flaw.to_owned()).or_insert(0) += 1;
            continue;
        }
        let (file, weight) = (sample.file.clone(), weight_of(worth.quality));
        faces.push(Face { person: sample.class, file, visit: *visit, weight, vector });
    }
    pictures.used = faces.len();
    if faces.is_empty() {
        bail!("none of {} pictures has a face that the pipeline would use: the reasons are above", pictures.all);
    }
    Ok(Found { faces, pictures, run })
}
