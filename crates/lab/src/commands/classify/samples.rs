//! From the pictures of the split to what each method sees of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Context as _;
use sightline_infer::{Embedder, FaceCrop, InferError};
use sightline_vision::QualityGates;

use super::super::{ModelArguments, embed, noted, output};
use super::Arguments;
use super::gray::{Crop, Grays, is_lfw};
use super::method::{Named, Sees};
use crate::classical::Sample;
use crate::crops::{self, Finder, Missing};
use crate::dataset::{Dataset, Split};
use crate::faces::Models;
use crate::metrics::statistics::median;
use crate::progress::Progress;
use crate::report::Run;

/// Pictures on which the time to get a sample ready is measured; the first one only warms up.
const TIMED: usize = 17;

/// Files, relative to a folder.
type Files<'a> = (&'a Path, &'a [String]);

/// A picture of the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) file: String,
    /// The person's place in the split's list.
    pub(super) class: usize,
}

/// What one kind of method sees.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Training pictures first, then the test pictures.
    pub(super) pictures: Rc<Vec<Shown>>,
    /// How many are for training.
    pub(super) training: usize,
    /// Of each picture; `None` where it shows no face or cannot be used.
    pub(super) samples: Vec<Option<Sample>>,
    /// Milliseconds from a picture's file to its sample, one thread; `None` when none of the timed ones gave one.
    pub(super) prepare: Option<f64>,
}

/// What a method sees, or why it sees nothing.
pub(super) type Sight = Result<Rc<Seen>, String>;

/// Everything that the methods see, one for each method.
pub(super) struct Made {
    pub(super) samples: Vec<Sight>,
    /// How the gray pictures were cut, if there are any.
    pub(super) crop: Option<Crop>,
    pub(super) run: Run,
}

/// Makes the samples of all methods. What cannot be used is said. A method without samples does not take the others with it.
pub(super) fn make(
    arguments: &Arguments,
    run: Run,
    (dataset, split): (&Dataset, &Split),
    methods: &[Named],
) -> anyhow::Result<Made> {
    let pictures = Rc::new(pictures(split)?);
    let files: Vec<String> = pictures.iter().map(|picture| picture.file.clone()).collect();
    let files: Files<'_> = (dataset.root(), &files);
    let training = split.train.len();
    let timed: Files<'_> = (files.0, &files.1[training..files.1.len().min(training + TIMED)]);
    let seen = |samples, prepare| Rc::new(Seen { pictures: Rc::clone(&pictures), training, samples, prepare });
    let mut made = Made { samples: Vec::new(), crop: None, run };
    let mut kinds: BTreeMap<Sees, Sight> = BTreeMap::new();
    for method in methods {
        if !kinds.contains_key(&method.sees) {
            let failed = |error: anyhow::Error| output::in_words(&error);
            if let Sees::Vector(embedder) = &method.sees {
                let models = ModelArguments { embedder: embedder.clone(), ..arguments.models.clone() };
                let vectors = vectors(&models, &mut made.run, files, timed).map_err(failed);
                kinds.insert(method.sees.clone(), vectors.map(|(samples, prepare)| seen(samples, prepare)));
            } else {
                let (small, full) = match grays(arguments, &mut made.run, files, timed).map_err(failed) {
                    Ok((crop, grays, prepare)) => {
                        made.crop = Some(crop);
                        let both = grays.into_iter().map(|gray| gray.map(|gray| (gray.small, gray.full)).unzip());
                        let (small, full) = both.unzip();
                        (Ok(seen(small, prepare)), Ok(seen(full, prepare)))
                    }
                    Err(reason) => (Err(reason.clone()), Err(reason)),
                };
                kinds.insert(Sees::Small, small);
                kinds.insert(Sees::Full, full);
            }
        }
        made.samples.extend(kinds.get(&method.sees).cloned());
    }
    Ok(made)
}

/// The vectors of an embedder, and the time it takes.
fn vectors(
    models: &ModelArguments,
    run: &mut Run,
    files: Files<'_>,
    timed: Files<'_>,
) -> anyhow::Result<(Vec<Option<Sample>>, Option<f64>)> {
    let (outcomes, noted) = embed(models, run.clone(), files)?;
    *run = noted;
    let samples = outcomes.iter().map(|outcome| Some(Sample::Features(outcome.vector()?.to_vec()))).collect();
    Ok((samples, time_vectors(&models.open()?, timed)?))
}

/// The split's pictures with their people.
fn pictures(split: &Split) -> anyhow::Result<Vec<Shown>> {
    let picture = |file: &String| {
        let folder = file.split('/').next().unwrap_or_default();
        let class = split.classes.iter().position(|class| class == folder);
        let class = class.with_context(|| format!("{file} is of a person whom the split's classes do not name"))?;
        Ok(Shown { file: file.clone(), class })
    };
    split.train.iter().chain(&split.test).map(picture).collect()
}

/// The gray pictures, how they were cut, and the time it takes.
fn grays(
    arguments: &Arguments,
    run: &mut Run,
    files: Files<'_>,
    timed: Files<'_>,
) -> anyhow::Result<(Crop, Vec<Option<Grays>>, Option<f64>)> {
    let threads = arguments.models.threads();
    let crop = match arguments.crop {
        Some(crop) => crop,
        None if all_lfw(files, threads)? => Crop::Lfw,
        None => Crop::Face,
    };
    let progress = Progress::new("gray pictures", files.1.len() as u64);
    let (grays, prepare) = match crop {
        Crop::Lfw => {
            let look = |(): &mut (), path: &Path| Ok(crops::read(path).and_then(|image| Grays::of_lfw(&image)));
            (crops::each(files, threads, &progress, || Ok(()), look)?, time(timed, |path| look(&mut (), path))?)
        }
        Crop::Face => {
            let models = arguments.models.open()?;
            *run = noted(run.clone(), &models, &[&models.detector.model])?;
            let grays = crops::each(files, threads, &progress, || Finder::open(&models), face)?;
            let mut finder = Finder::open(&models)?;
            (grays, time(timed, |path| face(&mut finder, path))?)
        }
    };
    drop(progress);
    let usable = |(file, gray): (&String, Result<Grays, Missing>)| match gray {
        Ok(gray) => Some(gray),
        Err(missing) => {
            output::note(&format!("{file}: {missing}"));
            None
        }
    };
    Ok((crop, files.1.iter().zip(grays).map(usable).collect(), prepare))
}

fn all_lfw(files: Files<'_>, threads: usize) -> anyhow::Result<bool> {
    let progress = Progress::hidden();
    let look = |(): &mut (), path: &Path| Ok(crops::read(path).map_or(true, |image| is_lfw(&image)));
    let found = crops::each(files, threads, &progress, || Ok(()), look)?;
    Ok(found.into_iter().all(|is_lfw| is_lfw))
}

fn face(finder: &mut Finder, path: &Path) -> Result<Result<Grays, Missing>, InferError> {
    let image = match crops::read(path) {
        Ok(image) => image,
        Err(missing) => return Ok(Err(missing)),
    };
    Ok(finder.find(&image, &QualityGates::default())?.and_then(|face| Grays::of_face(&face.cut)))
}

/// Milliseconds from a picture's file to its vector: decoder, detector, crop and embedder, one face at a time.
fn time_vectors(models: &Models, timed: Files<'_>) -> anyhow::Result<Option<f64>> {
    let mut finder = Finder::open(models)?;
    let mut embedder = Embedder::open(&models.runtime, &models.store, &models.embedder)?;
    let detector = finder.model_id().to_owned();
    let times = time(timed, |path| {
        let image = match crops::read(path) {
            Ok(image) => image,
            Err(missing) => return Ok(Err(missing)),
        };
        let face = match finder.find(&image, &QualityGates::default())? {
            Ok(face) => face,
            Err(missing) => return Ok(Err(missing)),
        };
        let cut = &face.cut;
        let crop = FaceCrop { image: &cut.image, face: cut.face, landmarks: cut.landmarks, detector: &detector };
        let vector = embedder.embed_crops(&[crop])?.pop();
        Ok(match vector {
            Some(Ok(vector)) => Ok(vector),
            Some(Err(error)) => Err(Missing::Unusable(error.to_string())),
            None => Err(Missing::NoFace),
        })
    });
    Ok(times?)
}

/// The middle of the milliseconds that `get` takes for each picture that gives something, the first one aside.
fn time<T>(
    (root, files): Files<'_>,
    mut get: impl FnMut(&Path) -> Result<Result<T, Missing>, InferError>,
) -> Result<Option<f64>, InferError> {
    let mut times = Vec::new();
    for file in files {
        let start = Instant::now();
        let got = get(&root.join(file))?;
        times.extend(got.is_ok().then(|| start.elapsed().as_secs_f64() * 1000.0));
    }
    if times.len() > 1 {
        times.remove(0);
    }
    Ok(median(times))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Shown, pictures, time};
    use crate::crops::Missing;
    use crate::dataset::Split;

    #[test]
    fn pictures_are_of_the_split_s_people() {
        let split = Split {
            seed: None,
            classes: vec!["b".to_owned(), "a".to_owned()],
            train: vec!["a/1.jpg".to_owned()],
            test: vec!["b/deep/2.jpg".to_owned()],
        };
        let shown = |file: &str, class| Shown { file: file.to_owned(), class };
        assert_eq!(pictures(&split).unwrap(), [shown("a/1.jpg", 1), shown("b/deep/2.jpg", 0)]);
        let stranger = Split { test: vec!["c/1.jpg".to_owned()], ..split };
        assert!(pictures(&stranger).unwrap_err().to_string().contains("c/1.jpg"));
    }

    #[test]
    fn times_are_of_pictures_that_give_something() {
        let files = ["a", "b", "c"].map(str::to_owned);
        let none = time((Path::new("."), &files), |_| Ok(Err::<(), _>(Missing::NoFace))).unwrap();
        assert_eq!(none, None);
        let mut calls = 0;
        let some = time((Path::new("."), &files), |_| {
            calls += 1;
            // The first one takes its time.
            std::thread::sleep(std::time::Duration::from_millis(if calls == 1 { 60 } else { 0 }));
            Ok(Ok(()))
        });
        assert!(some.unwrap().unwrap() < 30.0);
        assert_eq!(calls, 3);
    }
}
