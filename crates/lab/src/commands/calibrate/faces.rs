//! The faces that the pipeline would use, with their vectors and what each counts when a visit is fused.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;
use sightline_infer::InferError;
use sightline_vision::{QualityGates, weight_of};

use super::super::{embed, output};
use super::Arguments;
use super::visits::Face;
use crate::crops::{self, Finder};
use crate::dataset::Dataset;
use crate::faces::FacesError;
use crate::kept::Kept;
use crate::parallel;
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
    pub refused: BTreeMap<String, usize>,
}

/// The quality of a picture's face, and the gate that it fails, if any.
type Assessed = (f32, Option<String>);

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
    let assessed = assess(arguments, (dataset.root(), &files))?;
    let mut pictures = Pictures { all: files.len(), used: 0, without_face: 0, refused: BTreeMap::new() };
    let mut faces = Vec::new();
    for ((sample, outcome), assessed) in dataset.samples().iter().zip(outcomes).zip(assessed) {
        match (outcome.vector(), assessed) {
            (Some(_), Some((_, Some(flaw)))) => {
                output::note(&format!("{}: {flaw}, the pipeline would not use this face", sample.file));
                *pictures.refused.entry(flaw).or_insert(0) += 1;
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

/// What the pictures' faces are worth; none without a face. The vectors, which are kept as well, do not tell.
fn assess(arguments: &Arguments, (root, files): (&Path, &[String])) -> anyhow::Result<Vec<Option<Assessed>>> {
    let models = arguments.models.open()?;
    let gates = QualityGates { min_size: arguments.least_face as f32, ..QualityGates::default() };
    let detector = models.store.verify(&models.detector.model)?;
    let key = format!("{detector} {:?} {:?} {gates:?}", models.detector, models.choice);
    let kept = Kept::<Assessed>::open(arguments.models.kept().as_deref(), "quality", &key)?;
    let mut found: Vec<Option<Assessed>> =
        files.iter().map(|file| kept.recall(&root.join(file), "").cloned()).collect();
    let missing: Vec<usize> = (0..files.len()).filter(|index| found[*index].is_none()).collect();
    let progress = Progress::resumed("quality", files.len() as u64, (files.len() - missing.len()) as u64);
    let look = |finder: &mut Finder, index: usize| -> Result<(usize, Option<Assessed>), InferError> {
        let Ok(image) = crops::read(&root.join(&files[index])) else { return Ok((index, None)) };
        let face = finder.find(&image, &gates)?.ok();
        Ok((index, face.map(|face| (face.quality.score, face.flaw.map(|flaw| flaw.as_str().to_owned())))))
    };
    let take = |(index, assessed): (usize, Option<Assessed>)| -> Result<(), FacesError> {
        progress.advance(1);
        if let Some(assessed) = &assessed {
            kept.keep(&root.join(&files[index]), "", assessed)?;
        }
        found[index] = assessed;
        Ok(())
    };
    parallel::each(missing.into_iter(), arguments.models.threads(), || Finder::open(&models), look, take)?;
    Ok(found)
}
