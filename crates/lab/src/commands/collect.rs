//! `sightline-lab collect`: faces of a stream as a data set, a folder a person, on the detector, tracker and embedder of the pipeline.

mod align;
mod collector;
mod folder;
mod groups;
mod results;
mod visit;
mod watch;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Serialize, Serializer};
use sightline_infer::{Detector, DetectorConfig, Device, Embedder, ModelStore, Runtime};
use sightline_ingest::{Ending, PicturesConfig, Source, pictures};
use sightline_wire::{CaptureMode, SourceUrl, Transport};

use super::{ModelArguments, OutputArguments, noted, output};
use crate::dataset::{Dataset, DatasetError};
use crate::faces::{self, Choice};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::Run;
use collector::{Collector, Naming};
use folder::{Folder, LOG};
use groups::Groups;
use results::Collected;
use watch::{Wanted, Watch};

/// Smallest face that is followed, pixels, until it is large enough: as in the pipeline.
const FOLLOWED: f32 = 20.0;

/// Bytes of a name: with a number and `.jpg`, a file system takes 255.
const LONGEST: usize = 240;

/// `sightline-lab collect --help`.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Arguments {
    /// An address (rtsp, http), a device (/dev/video0) or a video file
    #[arg(long, value_name = "SOURCE", value_parser = |text: &str| Ok::<_, Infallible>(SourceUrl::new(text)))]
    #[serde(serialize_with = "redacted")]
    pub camera: SourceUrl,
    /// Where the pictures go: DIR/name/name_0001.jpg, and a line about each to DIR/faces.jsonl, with the seconds since the beginning and, of
    /// cameras, the time
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Who it is; without it, visits that look alike go to person-001, person-002, …
    #[arg(long)]
    pub name: Option<String>,
    /// Save whole frames, too, under the names of the crops; into DIR-frames unless a folder is given
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    #[serde(serialize_with = "wanted")]
    pub frames: Option<Option<PathBuf>>,
    /// Save more than the best picture of a visit: one of every so many seconds, 100 at most
    #[arg(long, value_name = "SECONDS")]
    pub every: Option<f64>,
    /// Frames a second that are looked at
    #[arg(long, default_value_t = 5.0)]
    pub fps: f64,
    /// RTSP over UDP instead of TCP
    #[arg(long)]
    pub udp: bool,
    /// Finds the faces: centerface, mtcnn, yunet
    #[arg(long, default_value = "centerface")]
    pub detector: String,
    /// Least score of a face; the model's own unless given
    #[arg(long)]
    pub threshold: Option<f32>,
    /// Width that pictures are scaled to for the detector, 0 for full size; the model's own unless given
    #[arg(long)]
    pub width: Option<u32>,
    /// Smallest face that is saved, pixels
    #[arg(long, default_value_t = 40.0)]
    pub min_face: f32,
    /// Tells without --name who is who: facenet, dlib
    #[arg(long, default_value = "facenet")]
    pub embedder: String,
    /// Threads; all cores unless given
    #[arg(long)]
    pub threads: Option<usize>,
    /// Where results go
    #[command(flatten)]
    #[serde(skip)]
    pub output: OutputArguments,
}

fn redacted<S: Serializer>(camera: &SourceUrl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&camera.redacted())
}

/// Whether frames are wanted, or where.
fn wanted<S: Serializer>(frames: &Option<Option<PathBuf>>, serializer: S) -> Result<S::Ok, S::Error> {
    match frames {
        Some(Some(folder)) => serializer.collect_str(&folder.display()),
        other => serializer.serialize_bool(other.is_some()),
    }
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the source, the folder or the models, and what to do; also when nothing was collected.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let shown = arguments.camera.redacted();
    let source = source(&arguments.camera).with_context(|| shown.clone())?;
    arguments.check()?;
    let mut run = Run::start("collect", env!("CARGO_PKG_VERSION")).settings(arguments)?;
    let models = arguments.models();
    let store = models.open()?.store;
    run = noted(run, &models.open()?, &[&arguments.detector])?;
    let frames = arguments.frames_folder();
    let folder = Folder::open(&arguments.out, frames.as_deref())?;
    let already = if source.is_file() { folder.pictures_of(&shown) } else { 0 };
    let again = results::again(&arguments.out.join(LOG), already);
    again.iter().for_each(|doubt| output::note(doubt));
    let (naming, cluster) = match &arguments.name {
        Some(name) => (Naming::Given(name.clone()), None),
        None => {
            run = noted(run, &models.open()?, &[&arguments.embedder])?;
            let known = arguments.known(&models, &store, &mut run)?;
            let cluster = known.1.threshold();
            (Naming::ByLikeness(Box::new(known)), Some(cluster))
        }
    };
    let watch = arguments.watch(&store, source.is_file())?;
    let progress = Progress::endless("frames");
    let collected = Collected { source: shown.clone(), cluster, again, ..Collected::default() };
    let all = arguments.every.is_some();
    let collector = Collector {
        watch,
        naming,
        folder,
        camera: shown,
        all,
        progress: &progress,
        visits: BTreeMap::new(),
        collected,
    };
    let (collected, is_whole) = collect(collector, &source, arguments)?;
    drop(progress);
    if is_whole {
        run.finish();
    } else {
        run.interrupt();
    }
    report(arguments, &run, &collected)
}

/// From the first picture to the last. Returns whether the source came to its end.
fn collect(mut collector: Collector<'_>, source: &Source, arguments: &Arguments) -> anyhow::Result<(Collected, bool)> {
    let interrupt = Interrupt::watch().context("Ctrl-C cannot be caught")?;
    let mut failed = None;
    let transport = if arguments.udp { Transport::Udp } else { Transport::Tcp };
    let config = PicturesConfig { fps: Some(arguments.fps), transport, ..PicturesConfig::default() };
    let watched = pictures(
        source,
        &config,
        || interrupt.asked(),
        |planes, stamp| match collector.look(&planes, stamp) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        },
    );
    let finished = match failed {
        Some(error) => Err(error),
        None => collector.finish(),
    };
    if let Err(error) = finished {
        let saved = results::number_of(collector.collected.files.len(), "picture");
        return Err(error.context(format!("stopped; saved in {}: {saved}", arguments.out.display())));
    }
    let Collector { mut collected, camera, .. } = collector;
    let watched = watched.map_err(|outage| anyhow::anyhow!("{camera}: {}", outage.detail))?;
    (collected.decoded, collected.dropped, collected.unusable) = (watched.decoded, watched.dropped, watched.unusable);
    let is_whole = watched.ending == Ending::Complete;
    collected.ending = match watched.ending {
        Ending::Complete => "at the end of the file".to_owned(),
        Ending::Stopped => "when it was told to".to_owned(),
        Ending::BrokeOff(outage) => outage.detail,
    };
    Ok((collected, is_whole))
}

/// Prints and writes what was collected.
fn report(arguments: &Arguments, run: &Run, collected: &Collected) -> anyhow::Result<()> {
    let people = (!collected.visits.is_empty()).then(|| collected.people());
    let (figures, page) = (collected.figures(), || collected.page(run, &arguments.out));
    let tables = std::iter::once(&figures).chain(&people);
    let finished = output::finish(&arguments.output, (run, collected), tables, page);
    for doubt in collected.doubts() {
        output::note(&doubt);
    }
    finished?;
    if collected.files.is_empty() {
        bail!(collected.nothing(arguments.min_face));
    }
    Ok(())
}

/// What is to be opened.
fn source(camera: &SourceUrl) -> anyhow::Result<Source> {
    let text = camera.expose();
    let path = Path::new(text);
    let is_device = path.metadata().is_ok_and(|found| found.file_type().is_char_device());
    if is_device || (text.starts_with("/dev/video") && !path.exists()) {
        return Ok(Source::V4l2(path.to_owned()));
    }
    Ok(Source::parse(text)?)
}

impl Arguments {
    fn check(&self) -> anyhow::Result<()> {
        if !(self.fps > 0.0 && self.fps <= 60.0) {
            bail!("--fps: {} is not above 0 and up to 60", self.fps);
        }
        if self.every.is_some_and(|every| !(0.0..=3600.0).contains(&every)) {
            bail!("--every: give 0 to 3600 seconds");
        }
        if !(0.0..=10_000.0).contains(&self.min_face) {
            bail!("--min-face: give 0 to 10000 pixels");
        }
        let is_name = |name: &str| {
            let folder = !name.contains(['/', '\\']) && !name.contains(char::is_control);
            let length = (1..=100).contains(&name.chars().count()) && name.len() <= LONGEST;
            folder && !name.starts_with('.') && length && name.trim() == name
        };
        if let Some(name) = self.name.as_deref().filter(|name| !is_name(name)) {
            bail!(
                "--name: {name:?} cannot be a folder's name: no slash, no dot at its beginning, up to 100 letters (and {LONGEST} bytes)"
            );
        }
        if self.name.as_deref() == Some(LOG) {
            bail!("--name: {LOG} is the list of the pictures");
        }
        let inside = |frames: &Path| {
            let absolute = |path: &Path| std::path::absolute(path);
            anyhow::Ok(absolute(frames)?.starts_with(absolute(&self.out)?))
        };
        if let Some(frames) = self.frames_folder()
            && inside(&frames)?
        {
            bail!("--frames: {} is in --out, where it would be a person of the data set", frames.display());
        }
        Ok(())
    }

    /// Where whole frames go, if they are wanted.
    fn frames_folder(&self) -> Option<PathBuf> {
        let beside = || {
            let mut name = self.out.components().as_path().as_os_str().to_owned();
            name.push("-frames");
            PathBuf::from(name)
        };
        self.frames.as_ref().map(|folder| folder.clone().unwrap_or_else(beside))
    }

    /// As the other commands take them: for the pictures that are there already.
    fn models(&self) -> ModelArguments {
        ModelArguments {
            detector: self.detector.clone(),
            threshold: self.threshold,
            width: self.width,
            min_face: 0.0,
            embedder: self.embedder.clone(),
            face: Choice::Central,
            threads: self.threads,
            no_cache: false,
            flip: false,
        }
    }

    fn watch(&self, store: &ModelStore, is_file: bool) -> anyhow::Result<Watch> {
        let config = DetectorConfig {
            threshold: self.threshold,
            width: self.width,
            min_face: self.min_face.min(FOLLOWED),
            ..DetectorConfig::new(&self.detector)
        };
        let runtime = Runtime::load(None, Device::Cpu, self.models().threads())?;
        let wanted = Wanted {
            min_face: self.min_face,
            every: self.every.map(Duration::from_secs_f64),
            frames: self.frames.is_some(),
            mode: if is_file { CaptureMode::Complete } else { CaptureMode::Live },
        };
        Watch::new(Detector::open(&runtime, store, &config)?, wanted)
    }

    /// The embedder, and who is in the folder already.
    fn known(&self, models: &ModelArguments, store: &ModelStore, run: &mut Run) -> anyhow::Result<(Embedder, Groups)> {
        let runtime = Runtime::load(None, Device::Cpu, models.threads())?;
        let embedder = Embedder::open(&runtime, store, &self.embedder)?;
        let mut groups = Groups::new(f64::from(embedder.thresholds().cluster));
        let dataset = match Dataset::open(&self.out) {
            Ok(dataset) => dataset,
            Err(error @ DatasetError::Read { .. }) => return Err(error.into()),
            Err(_) => return Ok((embedder, groups)),
        };
        let files: Vec<String> = dataset.samples().iter().map(|sample| sample.file.clone()).collect();
        let kept = models.kept();
        let progress = |pieces, done| {
            run.recalled += done;
            Progress::resumed("pictures there are", pieces, done)
        };
        let outcomes =
            faces::embed(&models.open()?, (dataset.root(), &files), models.threads(), kept.as_deref(), progress)?;
        for (sample, outcome) in dataset.samples().iter().zip(outcomes) {
            match outcome.vector() {
                Some(vector) => groups.add(&dataset.classes()[sample.class], vector.to_vec()),
                None => output::note(&format!("{}: no face, and nobody is found by it", sample.file)),
            }
        }
        Ok((embedder, groups))
    }
}

#[cfg(test)]
mod tests;
