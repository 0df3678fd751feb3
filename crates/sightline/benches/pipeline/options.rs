//! What can be asked for, and what it means for the processes under test.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use sightline_testkit::{clip, shared_data};

/// More frames a second than any recording has: all of them are kept.
pub(crate) const EVERY_FRAME: f64 = 60.0;

/// CPU, memory and overhead of the pipeline on a recording
#[derive(Debug, Parser)]
#[command(name = "pipeline", bin_name = "cargo xtask bench pipeline")]
pub(crate) struct Options {
    /// The recording [default: wall720.mp4 of the shared data, else a clip of the demo]
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Frames analysed a second; all are decoded
    #[arg(long, default_value_t = 5.0)]
    fps: f64,
    /// Which models belong together
    #[arg(long, default_value = "default")]
    profile: Profile,
    /// Instead of the profile's detector
    #[arg(long, value_name = "MODEL")]
    detector: Option<String>,
    /// Instead of the profile's embedder
    #[arg(long, value_name = "MODEL")]
    embedder: Option<String>,
    /// Threads of each network
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Rounds of the overhead measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(crate) only: Vec<Part>,
    /// Fail when a threshold is missed
    #[arg(long)]
    pub(crate) gate: bool,
    /// Write the figures here too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where relative paths begin
    #[arg(long, hide = true, value_name = "FOLDER")]
    relative_to: Option<PathBuf>,
    /// `cargo bench` says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Everything in one process
    OneProcess,
    /// One process a stage, over NATS
    Nats,
    /// Whether the same visits are found as with every frame
    Visits,
    /// Against decoding and inference alone
    Overhead,
    /// Four live cameras in one process
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    Default,
    Classic,
    Fast,
}

impl Profile {
    /// Detector, its width if not the manifest's, embedder; as the product has them.
    const fn models(self) -> (&'static str, Option<u32>, &'static str) {
        match self {
            Self::Default => ("centerface", None, "facenet"),
            Self::Classic => ("mtcnn", None, "facenet"),
            Self::Fast => ("centerface", Some(320), "dlib"),
        }
    }
}

impl Options {
    /// A path as the user meant it.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.relative_to.as_deref().unwrap_or(Path::new("")).join(path)
    }

    fn clip(&self) -> Result<PathBuf> {
        if let Some(file) = &self.clip {
            return Ok(std::path::absolute(self.resolve(file))?);
        }
        let wall = shared_data().map(|folder| folder.join("data/clips/wall720.mp4")).filter(|file| file.is_file());
        wall.map_or_else(|| clip("cap12_edit"), |file| Ok(file.canonicalize()?))
    }
}

/// The same for all parts.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) clip: PathBuf,
    pub(crate) fps: f64,
    pub(crate) profile: Profile,
    pub(crate) detector: String,
    /// Of the detector's network; `None` is the manifest's.
    pub(crate) width: Option<u32>,
    pub(crate) embedder: String,
    pub(crate) threads: usize,
}

impl Settings {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let clip = options.clip()?;
        ensure!(clip.is_file(), "{} is no file", clip.display());
        ensure!(options.fps > 0.0 && options.fps <= EVERY_FRAME, "--fps: use more than 0, at most {EVERY_FRAME}");
        let (detector, width, embedder) = options.profile.models();
        Ok(Self {
            clip,
            fps: options.fps,
            profile: options.profile,
            detector: options.detector.as_deref().unwrap_or(detector).to_owned(),
            width,
            embedder: options.embedder.as_deref().unwrap_or(embedder).to_owned(),
            threads: options.threads,
        })
    }

    /// Lines of the configuration file.
    pub(crate) fn configuration(&self) -> String {
        let profile = self.profile.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        format!(
            "models: {{profile: {profile}, threads: {}, detector: {}, embedder: {}}}\ningest: {{decode_threads: 1}}\n\
             detect: {{workers: 1}}\nembed: {{workers: 1}}\n",
            self.threads, self.detector, self.embedder
        )
    }

    pub(crate) fn clip_name(&self) -> String {
        self.clip.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether these are the conditions that the project's thresholds are for.
    pub(crate) fn is_judged(&self) -> bool {
        let input = (self.clip_name() == "wall720.mp4", self.fps == 5.0);
        input == (true, true) && self.detector == "centerface" && self.width.is_none() && self.threads == 1
    }
}
