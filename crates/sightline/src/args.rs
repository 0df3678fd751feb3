//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sightline_stage::boot::LogFormat;
use sightline_wire::{CaptureMode, human_duration};

/// The arguments contradict each other in a way that the parser cannot see. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Cameras in, names out.
#[derive(Debug, Parser)]
#[command(version, about = "Cameras in, names out", arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The configuration file [default: ./sightline.yaml, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How log lines look
    #[arg(long, global = true, default_value = "text")]
    pub(crate) log: Log,
    /// How results look
    #[arg(short, long, global = true, default_value = "table")]
    pub(crate) output: Output,
    /// The running server that people, search, events and camera talk to
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080", env = "SIGHTLINE_SERVER", value_name = "URL")]
    pub(crate) server: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Log {
    Text,
    Json,
}

impl From<Log> for LogFormat {
    fn from(log: Log) -> Self {
        match log {
            Log::Text => Self::Text,
            Log::Json => Self::Json,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every stage in this process
    Run,
    /// Chosen stages: joined by memory among themselves, by NATS to the rest
    Worker {
        /// Which
        #[arg(required = true)]
        stages: Vec<StageName>,
    },
    /// The gallery: enroll, list, rename, merge, remove
    People {
        #[command(subcommand)]
        command: People,
    },
    /// Faces in a picture and the people nearest to each
    Search {
        /// JPEG or PNG
        image: PathBuf,
        /// People for each face
        #[arg(short, default_value_t = 5)]
        k: u32,
    },
    /// Who was seen where and when
    Events(Events),
    /// Cameras: probe, list, add, change, remove
    Camera {
        #[command(subcommand)]
        command: Camera,
    },
    /// Find the faces of pictures, without a server
    Detect(Detect),
    /// Embeddings of the faces of pictures, without a server
    Embed(Embed),
    /// The models: list, verify
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// The configuration: check, print
    Config {
        #[command(subcommand)]
        command: Config,
    },
    /// What is installed, reachable, misconfigured, and how to mend it
    Doctor,
    /// Compare and measure detectors and recognisers; `sightline lab --help` lists what it does
    #[command(disable_help_flag = true)]
    Lab {
        /// Go to `sightline-lab`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum StageName {
    Ingest,
    Detect,
    Track,
    Embed,
    Identify,
    Gateway,
}

impl StageName {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ingest, Self::Detect, Self::Track, Self::Embed, Self::Identify, Self::Gateway];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Detect => "detect",
            Self::Track => "track",
            Self::Embed => "embed",
            Self::Identify => "identify",
            Self::Gateway => "gateway",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum People {
    /// Enroll people: a folder with one folder for each, or pictures (or folders of them) of one person with --name
    Enroll {
        /// Whose pictures these are
        #[arg(long)]
        name: Option<String>,
        /// DIR (with DIR/name/*.jpg|png); with --name pictures, or folders of pictures
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// All people
    List,
    /// Change a name
    Rename {
        /// Name or id
        person: String,
        /// The new name
        name: String,
    },
    /// Join two people who are one
    Merge {
        /// Name or id; goes
        from: String,
        /// Name or id; stays, with the templates of both
        into: String,
    },
    /// Remove a person with all templates
    Remove {
        /// Name or id
        person: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Those from now on as they happen, until Ctrl-C; waits for a server that is away
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only those after this number [default: 0, which is all; with --follow the newest]
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Camera {
    /// Open a source and say what it delivers, without a server
    Probe {
        /// As in the configuration
        source: String,
        /// RTP over udp instead of tcp
        #[arg(long)]
        udp: bool,
    },
    /// All cameras with what they are doing
    List,
    /// Add a camera
    Add {
        /// Its id
        id: String,
        /// As in the configuration
        source: String,
        #[command(flatten)]
        settings: CameraSettings,
    },
    /// Change a camera that was added; what is not given stays as it is
    Change {
        /// Its id
        id: String,
        /// As in the configuration
        #[arg(long)]
        source: Option<String>,
        #[command(flatten)]
        settings: CameraSettings,
    },
    /// Remove a camera
    Remove {
        /// Its id
        id: String,
    },
}

/// What is said of a camera beside its source, as in the configuration.
#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct CameraSettings {
    /// Frames a second that are kept; a new camera has 5
    #[arg(long)]
    pub(crate) fps: Option<f64>,
    /// What happens when the detectors are slower than the camera; a new camera is live
    #[arg(long)]
    pub(crate) mode: Option<Mode>,
    /// After so long without a frame it is opened anew; a new camera has 5s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) stall: Option<Duration>,
    /// RTP over udp
    #[arg(long)]
    pub(crate) udp: bool,
    /// RTP over tcp, as a new camera has it
    #[arg(long, conflicts_with = "udp")]
    pub(crate) tcp: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The newest frame wins, older ones are dropped
    Live,
    /// Every sampled frame is analysed; the source waits
    Complete,
}

impl From<Mode> for CaptureMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Live => Self::Live,
            Mode::Complete => Self::Complete,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    human_duration::parse(text).ok_or_else(|| "write a number with ms, s, m or h, as in 5s".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// JPEG or PNG
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) detector: DetectorArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DetectorArguments {
    /// Id of the detector's manifest [default: the configuration's]
    #[arg(long)]
    pub(crate) detector: Option<String>,
    /// Least score of a face (CenterFace, YuNet)
    #[arg(long)]
    pub(crate) threshold: Option<f32>,
    /// Width to which pictures are scaled, smaller ones as well; 0 for full size (CenterFace, YuNet)
    #[arg(long)]
    pub(crate) width: Option<u32>,
    /// Smallest face searched for, pixels (MTCNN)
    #[arg(long)]
    pub(crate) min_face_size: Option<u32>,
    /// Least probability after each network, as 0.6,0.7,0.7 (MTCNN)
    #[arg(long, value_name = "P,R,O")]
    pub(crate) thresholds: Option<Thresholds>,
    /// Step of the picture pyramid (MTCNN)
    #[arg(long)]
    pub(crate) factor: Option<f64>,
}

/// Three numbers joined by commas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thresholds(pub(crate) [f32; 3]);

impl std::str::FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split(',').map(str::parse).collect::<Result<Vec<f32>, _>>();
        let three = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        three.map(Self).ok_or_else(|| "write three numbers, as in 0.6,0.7,0.7".to_owned())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Embed {
    /// JPEG or PNG
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Id of the embedder's manifest [default: the configuration's]
    #[arg(long)]
    pub(crate) embedder: Option<String>,
    /// The pictures already are the network's input crops: nothing is searched for
    #[arg(long, conflicts_with = "DetectorArguments")]
    pub(crate) aligned: bool,
    #[command(flatten)]
    pub(crate) detector: DetectorArguments,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Models {
    /// The models there are manifests for
    List,
    /// Compare the files with the manifests
    Verify,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Config {
    /// Read it, and say what is wrong
    Check,
    /// Every key with its value, and what `auto` stands for
    Print,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::Parser as _;

    use super::{Arguments, Camera, CameraSettings, Command, Mode, StageName};

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn stages_are_named_one_after_the_other() {
        let arguments = Arguments::try_parse_from(["sightline", "worker", "ingest", "detect"]).unwrap();
        assert!(
            matches!(&arguments.command, Command::Worker { stages } if *stages == [StageName::Ingest, StageName::Detect])
        );
        assert!(Arguments::try_parse_from(["sightline", "worker"]).is_err());
    }

    #[test]
    fn settings_of_a_camera_are_taken_as_the_configuration_has_them() {
        let settings = |words: &str| {
            let line = format!("sightline camera change lobby {words}");
            let parsed = Arguments::try_parse_from(line.split_whitespace());
            parsed.map(|arguments| match arguments.command {
                Command::Camera { command: Camera::Change { settings, .. } } => settings,
                _ => panic!("another command"),
            })
        };
        let all = settings("--fps 2 --mode complete --stall 1500ms --udp").unwrap();
        let stall = Some(std::time::Duration::from_millis(1500));
        let wanted = CameraSettings { fps: Some(2.0), mode: Some(Mode::Complete), stall, udp: true, tcp: false };
        assert_eq!(all, wanted);
        assert_eq!(settings("").unwrap(), CameraSettings::default());
        for wrong in ["--mode slow", "--stall 5", "--stall soon", "--udp --tcp"] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_parameters_of_mtcnn_are_taken() {
        let line = "sightline detect a.jpg --detector mtcnn --min-face-size 20 --thresholds 0.6,0.7,0.7 --factor 0.709 -o json";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Detect(detect) = arguments.command else { panic!("another command") };
        assert_eq!(detect.detector.thresholds.unwrap().0, [0.6, 0.7, 0.7]);
        assert_eq!(detect.images.len(), 1);
        let last = "sightline detect a.jpg --detector mtcnn --thresholds 0.6,0.7,0.7";
        assert!(Arguments::try_parse_from(last.split(' ')).is_ok());
        assert!(Arguments::try_parse_from("sightline detect a.jpg --thresholds 0.6,0.7".split(' ')).is_err());
    }
}
