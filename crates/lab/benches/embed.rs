//! What embedding a folder costs the laboratory beyond its networks: `cargo xtask bench embed`.
//!
//! - Numerator: CPU of [`faces::embed`] on one thread with nothing kept. All commands that turn pictures into vectors call it, `calibrate`
//!   for the quality of faces as well; what they have seen before they keep, unless told otherwise. It opens the networks, reads and
//!   decodes the pictures, finds, cuts and assesses faces, and shares the work.
//! - Denominator: CPU of the detector alone on the same pictures, decoded before, and of the embedder alone on the same faces, cut out before
//!   and in the same batches; both opened and warm.
//!
//! The three are measured in turn, round by round, with the kernel's CPU time of the whole process, so that a machine that gets slower is
//! slower for all. The result is the median of the rounds' ratios, shown with the smallest and the largest. Opening is shared by as many
//! pictures as are looked at, so few of them make the ratio larger than the whole set would.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use sightline_infer::{Detector, DetectorConfig, Device, Embedder, FaceCrop, ModelStore, Runtime};
use sightline_lab::crops::{self, Finder};
use sightline_lab::dataset::Dataset;
use sightline_lab::faces::{self, BATCH, Choice, Models};
use sightline_lab::progress::Progress;
use sightline_testkit::shared_data;
use sightline_vision::{FaceCut, Picture, QualityGates, RgbImage};

/// Promised for CenterFace and FaceNet.
const GATE: f64 = 1.15;

/// CPU of the laboratory's embedding, against its detector and its embedder alone
#[derive(Debug, Parser)]
#[command(name = "embed", bin_name = "cargo xtask bench embed")]
struct Arguments {
    /// A folder a person [default: lfw-dev of the shared data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Pictures, evenly spread over all
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..))]
    pictures: u32,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Finds the faces
    #[arg(long, default_value = "centerface")]
    detector: String,
    /// Turns faces into vectors
    #[arg(long, default_value = "facenet")]
    embedder: String,
    /// Leave with an error when the median is above the gate
    #[arg(long)]
    gate: bool,
    /// Where relative paths begin
    #[arg(long, hide = true, value_name = "FOLDER")]
    relative_to: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let judged = (arguments.detector.as_str(), arguments.embedder.as_str()) == ("centerface", "facenet");
    ensure!(!arguments.gate || judged, "--gate needs CenterFace and FaceNet: it is for these");
    let models = Models {
        runtime: Runtime::load(None, Device::Cpu, 1)?,
        store: ModelStore::default_location()?,
        detector: DetectorConfig::new(&arguments.detector),
        embedder: arguments.embedder.clone(),
        choice: Choice::Central,
        flip: false,
    };
    let (root, files) = files(&arguments)?;
    let mut alone = Alone::open(&models, (&root, &files))?;
    let count = files.len() as f64;
    println!("{} pictures of {}, {} with a face", files.len(), root.display(), alone.faces());
    let mut ratios = Vec::new();
    for round in 1..=arguments.rounds {
        let all = cpu_of(|| Ok(faces::embed(&models, (&root, &files), 1, None, |_, _| Progress::hidden())?))?;
        let (detector, embedder) = (cpu_of(|| alone.detect())?, cpu_of(|| alone.embed())?);
        let ratio = all / (detector + embedder);
        let [all, detector, embedder] = [all, detector, embedder].map(|seconds| 1000.0 * seconds / count);
        println!(
            "round {round}: {all:.1} ms of CPU a picture; alone the detector {detector:.1}, the embedder {embedder:.1}: {ratio:.3}"
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
    let verdict = match median <= GATE {
        _ if !judged => String::new(),
        true => format!("; gate {GATE}: PASS"),
        false => format!("; gate {GATE}: FAIL"),
    };
    println!("{} + {}: median {median:.3}, {least:.3} to {most:.3}{verdict}", arguments.detector, arguments.embedder);
    ensure!(!arguments.gate || median <= GATE, "embedding costs too much beyond its networks");
    Ok(())
}

/// The folder, and the files in it that take part.
fn files(arguments: &Arguments) -> Result<(PathBuf, Vec<String>)> {
    let shared = || Some(shared_data()?.join("data/lfw-dev"));
    let here = arguments.relative_to.clone().unwrap_or_default();
    let data = arguments.data.as_ref().map(|data| here.join(data)).or_else(shared);
    let dataset = Dataset::open(&data.context("there is no shared data here: name a folder with --data")?)?;
    let samples = dataset.samples();
    let count = samples.len().min(arguments.pictures as usize);
    let files = (0..count).map(|nth| samples[nth * samples.len() / count].file.clone()).collect();
    Ok((dataset.root().canonicalize()?, files))
}

/// The networks, with what they get from these pictures.
struct Alone {
    detector: Detector,
    embedder: Embedder,
    pictures: Vec<RgbImage>,
    /// In the laboratory's batches.
    faces: Vec<Vec<FaceCut>>,
}

impl Alone {
    fn open(models: &Models, (root, files): (&PathBuf, &[String])) -> Result<Self> {
        let mut finder = Finder::open(models)?;
        let (mut pictures, mut faces) = (Vec::new(), Vec::new());
        for batch in files.chunks(BATCH) {
            let mut cuts = Vec::new();
            for file in batch {
                let Ok(picture) = crops::read(&root.join(file)) else { continue };
                cuts.extend(finder.find(&picture, &QualityGates::default())?.map(|face| face.cut));
                pictures.push(picture);
            }
            faces.push(cuts);
        }
        let detector = Detector::open(&models.runtime, &models.store, &models.detector)?;
        let embedder = Embedder::open(&models.runtime, &models.store, &models.embedder)?;
        let mut alone = Self { detector, embedder, pictures, faces };
        alone.detect()?;
        alone.embed()?;
        Ok(alone)
    }

    fn faces(&self) -> usize {
        self.faces.iter().map(Vec::len).sum()
    }

    fn detect(&mut self) -> Result<()> {
        for picture in &self.pictures {
            self.detector.detect(Picture::Rgb(picture))?;
        }
        Ok(())
    }

    fn embed(&mut self) -> Result<()> {
        let detector = self.detector.model_id().as_str();
        for batch in &self.faces {
            let crops: Vec<FaceCrop<'_>> = batch
                .iter()
                .map(|cut| FaceCrop { image: &cut.image, face: cut.face, landmarks: cut.landmarks, detector })
                .collect();
            self.embedder.embed_crops(&crops)?;
        }
        Ok(())
    }
}

/// CPU seconds that this process uses for `work`, on all its threads.
fn cpu_of<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let before = now();
    work()?;
    Ok(now() - before)
}
