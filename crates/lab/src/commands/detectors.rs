//! `sightline-lab detectors`: face detectors side by side, by speed, by what they find, and by what they find wrongly.

mod arguments;
mod crops;
mod page;
mod parallel;
mod search;
mod sheet;
mod speed;
mod truth;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use sightline_infer::{ModelStore, Runtime, default_cache_dir};

use super::{OutputArguments, library_version, output, with_files};
use crate::agreement::{Agreement, DetectorResults, agree};
use crate::finders::{Finders, Purpose};
use crate::material::{LeftOut, Material};
use crate::report::Run;
use crate::whole;
use crate::wider::{ResultImage, write_results};
use arguments::as_typed;
use search::{Chosen, Found, Team, search};
use truth::Truth;

pub use arguments::{FinderArguments, MtcnnArguments, SingleShotArguments, TraditionalArguments};
pub use speed::Speed;
pub use truth::AgainstTruth;

/// The detector that cuts faces out.
const MTCNN: &str = "mtcnn";

/// Pictures left out that are named on the terminal; the files have all.
const NAMED: usize = 20;

/// `sightline-lab detectors --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// A folder of pictures (JPEG, PNG) and videos, or one of them
    pub data: PathBuf,
    /// Which, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "mtcnn,centerface,yunet,haar,seetaface")]
    pub detectors: Vec<String>,
    /// The faces that there are, as in WIDER FACE's wider_face_val_bbx_gt.txt, by picture below DATA; frames as clip.mp4#12.400, in seconds
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// Which of the faces count; the others are neither found nor missed. As text: a line with the picture, one with a count, and as many with
    /// the number of a face, from 1, as gt_list has them in WIDER FACE's .mat files, which are not read themselves
    #[arg(long, value_name = "FILE", requires = "truth")]
    pub subset: Option<PathBuf>,
    /// Frames a second of videos
    #[arg(long, default_value_t = 5.0)]
    pub fps: f64,
    /// Pictures on which speed is measured
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    pub timed: u32,
    /// How many times
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Threads; all cores unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Keep what is found nowhere and look at every picture anew
    #[arg(long)]
    pub no_cache: bool,
    /// Write what each detector found there, as WIDER FACE's results, NAME.txt: as it is used or, with --truth, with the lower scores that the
    /// curve needs
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
    /// How the detectors are used
    #[command(flatten)]
    pub finders: FinderArguments,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Pictures that were looked at, frames of videos included.
    pub pictures: usize,
    /// Those that were compared.
    pub detectors: Vec<DetectorReport>,
    /// Those that were not.
    pub unavailable: Vec<Unavailable>,
    /// Whether what they found is for a curve, with faces of any score, or for use.
    pub purpose: Purpose,
    /// How far they agree, in use, with the truth as one of them where there is one; or why that cannot be said.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub agreement: Result<Agreement, String>,
    /// Files and pictures that could not be looked at.
    pub left_out: Vec<LeftOut>,
}

/// One detector.
#[derive(Debug, Serialize)]
pub struct DetectorReport {
    /// As it was asked for.
    pub name: String,
    /// With the hash of its weights.
    pub model: String,
    /// Faces have this score or more.
    pub least_score: f64,
    /// How many it found.
    pub detections: usize,
    /// Pictures in which it found none.
    pub pictures_without: usize,
    /// How fast it is.
    pub speed: Speed,
    /// How it fares against the truth.
    pub against_truth: Option<AgainstTruth>,
}

/// A detector that cannot be opened here.
#[derive(Debug, Serialize)]
pub struct Unavailable {
    /// As it was asked for.
    pub name: String,
    /// Why, and the way out.
    pub reason: String,
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the data, the models or the words typed, and what to do.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut run = Run::start("detectors", env!("CARGO_PKG_VERSION")).settings(arguments)?;
    ensure!(arguments.fps.is_finite() && arguments.fps > 0.0, "--fps: {} is not above 0", arguments.fps);
    arguments.finders.check(&arguments.detectors)?;
    let store = ModelStore::default_location()?;
    let finders = Finders::new(store.clone(), arguments.finders.config(&store)?);
    let mut truth = arguments.truth.as_ref().map(|file| Truth::read(file, arguments.subset.as_deref())).transpose()?;
    let purpose = if truth.is_some() { Purpose::Curve } else { Purpose::Use };
    let (chosen, unavailable) = choose(&finders, &arguments.detectors, purpose)?;
    for one in &chosen {
        run = with_files(run, &one.name, &one.files);
    }
    // Where it cannot be loaded, no network was opened.
    if let Ok(runtime) = Runtime::load(None, arguments.finders.device, 1) {
        run = run.with("onnxruntime", &library_version(runtime.library()));
    }
    let crops = arguments.finders.mtcnn.crops.as_ref();
    ensure!(crops.is_none() || chosen.iter().any(|one| one.name == MTCNN), "--crops: mtcnn is not among the detectors");
    let material = open(arguments, truth.as_ref())?;
    let team = Team { finders: &finders, chosen: &chosen, threads: arguments.threads() };
    let kept = (!arguments.no_cache).then(|| default_cache_dir().join("lab"));
    let mut found = search(team, purpose, &material, kept.as_deref())?;
    run.recalled = found.recalled;
    let mut left_out = material.left_out().to_vec();
    left_out.append(&mut found.left_out);
    say(&left_out);
    if let (Some(truth), Some(first)) = (&mut truth, found.results.first()) {
        truth.keep(&first.images);
    }
    if let Some(folder) = &arguments.results {
        write_found(folder, &found)?;
    }
    if let Some(folder) = crops {
        let params = arguments.finders.mtcnn(&store)?;
        let (written, mut not_cut) = crops::write((&store, &params), (&material, team.threads), folder)?;
        output::note(&format!("{written} faces cut out into {}", folder.display()));
        not_cut.retain(|one| left_out.iter().all(|known| known.file != one.file));
        say(&not_cut);
        left_out.append(&mut not_cut);
    }
    let speeds = speeds(team, (&material, &left_out), arguments)?;
    let detectors = reports(&chosen, &found, &speeds, truth.as_ref())?;
    let agreement = agreement(&in_use(&chosen, &found), truth.as_ref());
    let pictures = found.results.first().map_or(0, |one| one.images.len());
    let results = Results { pictures, detectors, unavailable, purpose, agreement, left_out };
    run.finish();
    finish(arguments, &run, &results, &material)
}

fn finish(arguments: &Arguments, run: &Run, results: &Results, material: &Material) -> anyhow::Result<()> {
    let finished = output::finish(&arguments.output, (run, results), &page::tables(results), || {
        let disagreements = results.agreement.as_ref().map_or(&[][..], |agreement| &agreement.disagreements);
        page::page(run, results, &sheet::sheet(material, disagreements))
    });
    if let Some(busy) = page::busy(results) {
        output::note(&busy);
    }
    if results.purpose == Purpose::Curve {
        output::note(page::COUNTED);
    }
    if results.detectors.iter().all(|one| one.detections == 0) {
        output::note(&format!("no detector found a face in any of {} pictures", results.pictures));
    }
    finished
}

impl Arguments {
    fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.map_or_else(all, |threads| threads as usize)
    }
}

/// The detectors that can be opened; what the others lack is said.
fn choose(finders: &Finders, names: &[String], purpose: Purpose) -> anyhow::Result<(Vec<Chosen>, Vec<Unavailable>)> {
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        bail!("--detectors: {twice} is given twice");
    }
    let (mut chosen, mut unavailable) = (Vec::new(), Vec::new());
    for name in names {
        // Open, it takes memory on every thread: this one goes again.
        match finders.open(name, purpose) {
            Ok(finder) => chosen.push(Chosen {
                name: name.clone(),
                model: finder.model_id(),
                files: finders.files(&finder, name)?,
                key: finders.key(&finder, name, purpose)?,
                least: finders.least_score(name)?,
            }),
            Err(error) if error.is_usage() => return Err(as_typed(error)),
            Err(error) => {
                output::note(&format!("{name} is not compared: {error}"));
                unavailable.push(Unavailable { name: name.clone(), reason: error.to_string() });
            }
        }
    }
    ensure!(!chosen.is_empty(), "none of the detectors can be used");
    Ok((chosen, unavailable))
}

fn open(arguments: &Arguments, truth: Option<&Truth>) -> anyhow::Result<Material> {
    Ok(match truth {
        None => Material::open(&arguments.data, arguments.fps)?,
        Some(truth) => Material::listed(&arguments.data, truth.names(), arguments.fps)?,
    })
}

/// Says what was left out, by name what comes first.
fn say(left_out: &[LeftOut]) {
    for one in left_out.iter().take(NAMED) {
        output::note(&one.to_string());
    }
    if left_out.len() > NAMED {
        output::note(&format!("and {} more that are left out", left_out.len() - NAMED));
    }
}

fn write_found(folder: &Path, found: &Found) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for one in &found.results {
        let path = folder.join(format!("{}.txt", one.detector));
        whole::write(&path, |file| file.write_all(write_results(&one.images).as_bytes()))?;
    }
    Ok(())
}

fn speeds(
    team: Team<'_>,
    (material, left_out): (&Material, &[LeftOut]),
    arguments: &Arguments,
) -> anyhow::Result<Vec<Speed>> {
    let pictures = speed::sample(material, left_out, arguments.timed as usize);
    ensure!(!pictures.is_empty(), "no picture can be decoded");
    Ok(speed::measure(team, &pictures, arguments.rounds as usize)?)
}

/// What the detectors find in use.
fn in_use(chosen: &[Chosen], found: &Found) -> Vec<DetectorResults> {
    let of = |(one, results): (&Chosen, &DetectorResults)| {
        let image = |image: &ResultImage| ResultImage {
            file: image.file.clone(),
            detections: image.detections.iter().filter(|face| face.score >= one.least).copied().collect(),
        };
        DetectorResults { detector: results.detector.clone(), images: results.images.iter().map(image).collect() }
    };
    chosen.iter().zip(&found.results).map(of).collect()
}

fn reports(
    chosen: &[Chosen],
    found: &Found,
    speeds: &[Speed],
    truth: Option<&Truth>,
) -> anyhow::Result<Vec<DetectorReport>> {
    let used = in_use(chosen, found);
    let report = |(((one, found), used), speed): (((&Chosen, &DetectorResults), &DetectorResults), &Speed)| {
        let counts = || used.images.iter().map(|image| image.detections.len());
        Ok(DetectorReport {
            name: one.name.clone(),
            model: one.model.clone(),
            least_score: one.least,
            detections: counts().sum(),
            pictures_without: counts().filter(|count| *count == 0).count(),
            speed: *speed,
            against_truth: truth.map(|truth| truth.judge(&found.images, one.least)).transpose()?,
        })
    };
    chosen.iter().zip(&found.results).zip(&used).zip(speeds).map(report).collect()
}

fn agreement(used: &[DetectorResults], truth: Option<&Truth>) -> Result<Agreement, String> {
    let beside = truth.map(|truth| truth.beside(used)).transpose().map_err(|error| error.to_string())?;
    agree(beside.as_deref().unwrap_or(used)).map_err(|error| error.to_string())
}
