//! What each detector finds in every picture.

use std::collections::BTreeSet;
use std::path::Path;

use super::parallel::each;
use crate::agreement::DetectorResults;
use crate::finders::{Finder, FinderError, Finders, Purpose, detections};
use crate::kept::Kept;
use crate::material::{LeftOut, Material, Shown};
use crate::progress::Progress;
use crate::wider::{Detection, ResultImage};

/// A detector that takes part.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// As it was asked for.
    pub(super) name: String,
    /// Its weights, in short.
    pub(super) model: String,
    /// Their files and sha256.
    pub(super) files: Vec<(String, String)>,
    /// What its results depend on.
    pub(super) key: String,
    /// Its least score in use.
    pub(super) least: f64,
}

/// Which detectors, and on how many threads they work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Team<'a> {
    pub(super) finders: &'a Finders,
    pub(super) chosen: &'a [Chosen],
    pub(super) threads: usize,
}

/// What all of them found, in the same pictures in the same order.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) results: Vec<DetectorResults>,
    /// Pictures that could not be looked at.
    pub(super) left_out: Vec<LeftOut>,
    /// Pictures that an earlier run had looked at.
    pub(super) recalled: u64,
}

/// The faces of one picture, by detector; None where they are not known.
type Faces = Vec<Option<Vec<Detection>>>;

/// Has every detector look at everything. What was found is kept in the folder `kept`, so that an interrupted run goes on.
pub(super) fn search(
    team: Team<'_>,
    purpose: Purpose,
    material: &Material,
    kept: Option<&Path>,
) -> anyhow::Result<Found> {
    let memories =
        team.chosen.iter().map(|one| Kept::open(kept, "detections", &one.key)).collect::<Result<Vec<_>, _>>()?;
    let items = material.items();
    let recall = |index: usize| -> Faces {
        let (path, name) = (material.path(&items[index]), &items[index].name);
        memories.iter().map(|memory| memory.recall(&path, name).cloned()).collect()
    };
    let mut faces: Vec<Faces> = (0..items.len()).map(recall).collect();
    let missing: Vec<usize> = (0..items.len()).filter(|index| faces[*index].contains(&None)).collect();
    let recalled = (items.len() - missing.len()) as u64;
    let progress = Progress::resumed("pictures", items.len() as u64, recalled);
    let wanted: Vec<Vec<bool>> = faces.iter().map(|faces| faces.iter().map(Option::is_none).collect()).collect();
    let open = || team.chosen.iter().map(|one| team.finders.open(&one.name, purpose)).collect::<Result<Vec<_>, _>>();
    let see = |finders: &mut Vec<Finder>, item: usize, shown: &Shown| -> Result<Faces, FinderError> {
        let look = |(finder, wanted): (&mut Finder, &bool)| {
            wanted.then(|| Ok(detections(&finder.detect(shown.picture())?))).transpose()
        };
        finders.iter_mut().zip(&wanted[item]).map(look).collect()
    };
    let mut left_out = Vec::new();
    each((material, &missing, team.threads), open, see, |index, seen| {
        let item = &items[index];
        match seen {
            Err(reason) => left_out.push(LeftOut { file: item.name.clone(), reason }),
            Ok(found) => {
                for ((memory, found), known) in memories.iter().zip(found).zip(&mut faces[index]) {
                    if let Some(found) = found {
                        memory.keep(&material.path(item), &item.name, &found)?;
                        *known = Some(found);
                    }
                }
            }
        }
        progress.advance(1);
        Ok(())
    })?;
    left_out.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(Found { results: by_detector(team.chosen, material, &faces, &left_out), left_out, recalled })
}

fn by_detector(chosen: &[Chosen], material: &Material, faces: &[Faces], left_out: &[LeftOut]) -> Vec<DetectorResults> {
    let out: BTreeSet<&str> = left_out.iter().map(|one| one.file.as_str()).collect();
    let seen: Vec<_> =
        material.items().iter().zip(faces).filter(|(item, _)| !out.contains(item.name.as_str())).collect();
    let of = |index: usize, faces: &Faces| faces[index].clone().unwrap_or_default();
    let results = |(index, one): (usize, &Chosen)| DetectorResults {
        detector: one.name.clone(),
        images: seen
            .iter()
            .map(|(item, faces)| ResultImage { file: item.name.clone(), detections: of(index, faces) })
            .collect(),
    };
    chosen.iter().enumerate().map(results).collect()
}
