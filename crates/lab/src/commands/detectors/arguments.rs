//! How the detectors are used, from the command line.

use std::path::PathBuf;

use serde::Serialize;
use sightline_infer::{Device, InferError, ModelStore, MtcnnParams, SelectionMethod};

use super::MTCNN;
use crate::finders::{FinderConfig, FinderError, HAAR, SEETAFACE};
use crate::traditional::{DetectorError, HaarConfig, SeetaConfig};

/// Settings of the detectors; each takes what is its own.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct FinderArguments {
    /// What the networks compute on: cpu, cuda, tensorrt, openvino
    #[arg(long, default_value_t)]
    pub device: Device,
    /// Of CenterFace, YuNet and MTCNN
    #[command(flatten)]
    pub single_shot: SingleShotArguments,
    /// As facenet-pytorch names them
    #[command(flatten)]
    pub mtcnn: MtcnnArguments,
    /// Of Viola-Jones and SeetaFace
    #[command(flatten)]
    pub traditional: TraditionalArguments,
}

/// Networks with one threshold.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "CenterFace and YuNet")]
pub struct SingleShotArguments {
    /// Least score of a face [default: the model's own]
    #[arg(long)]
    pub threshold: Option<f32>,
    /// Width to which pictures are scaled, smaller ones as well; 0 for full size [default: the model's own, for larger ones]
    #[arg(long)]
    pub width: Option<u32>,
}

/// facenet-pytorch's parameters of MTCNN.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "MTCNN, as facenet-pytorch names it")]
pub struct MtcnnArguments {
    /// Smallest face searched for, pixels [default: the model's own, 20]
    #[arg(long)]
    pub min_face_size: Option<u32>,
    /// Least probability after each network [default: the model's own, 0.6,0.7,0.7]
    #[arg(long, value_name = "P,R,O", value_parser = thresholds)]
    pub thresholds: Option<[f32; 3]>,
    /// Step of the picture pyramid [default: the model's own, 0.709]
    #[arg(long)]
    pub factor: Option<f64>,
    /// Cut the faces out as facenet-pytorch does, and write them there, as pictures (.jpg) and as the floats that a network gets (.npy)
    #[arg(long, value_name = "DIR")]
    pub crops: Option<PathBuf>,
    /// Side of a face cut out, pixels
    #[arg(long, default_value_t = 160, requires = "crops")]
    pub image_size: u32,
    /// Pixels of a face cut out that lie around the box, half on each side
    #[arg(long, default_value_t = 0, requires = "crops")]
    pub margin: u32,
    /// Floats as (pixel - 127.5) / 128 instead of 0 to 255
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL", requires = "crops")]
    pub post_process: bool,
    /// The largest face instead of the most probable one; with --keep-all, the order
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL", requires = "crops")]
    pub select_largest: bool,
    /// Which face instead: largest, probability, largest_over_threshold, center_weighted_size
    #[arg(long, value_parser = selection, requires = "crops")]
    pub selection_method: Option<SelectionMethod>,
    /// Cut every face out instead of one
    #[arg(long, requires = "crops")]
    pub keep_all: bool,
}

/// The traditional detectors' own.
#[derive(Clone, Debug, clap::Args, Serialize)]
#[command(next_help_heading = "Viola-Jones (haar) and SeetaFace")]
pub struct TraditionalArguments {
    /// Ratio of the sizes of one level of search and the next
    #[arg(long, default_value_t = HaarConfig::default().scale_factor)]
    pub haar_scale_factor: f64,
    /// A face is where more windows than this agree
    #[arg(long, default_value_t = HaarConfig::default().min_neighbors)]
    pub haar_min_neighbors: u32,
    /// Smallest face, pixels
    #[arg(long, default_value_t = HaarConfig::default().min_size)]
    pub haar_min_size: u32,
    /// Largest face, pixels [default: the picture]
    #[arg(long)]
    pub haar_max_size: Option<u32>,
    /// Another of OpenCV's cascades [default: that of Debian's package opencv-data]
    #[arg(long, value_name = "FILE")]
    pub haar_cascade: Option<PathBuf>,
    /// Least score of a face
    #[arg(long, default_value_t = SeetaConfig::default().threshold)]
    pub seeta_threshold: f64,
    /// Smallest face, pixels, at least 20
    #[arg(long, default_value_t = SeetaConfig::default().min_face)]
    pub seeta_min_face: u32,
    /// The model, where it is not among the others [default: where `cargo xtask setup` puts it]
    #[arg(long, value_name = "FILE")]
    pub seeta_model: Option<PathBuf>,
}

impl FinderArguments {
    /// Refuses what no detector of these would take notice of.
    pub(super) fn check(&self, names: &[String]) -> anyhow::Result<()> {
        let has = |name: &str| names.iter().any(|one| one == name);
        let is_network = |name: &String| ![HAAR, SEETAFACE].contains(&name.as_str());
        let (network, single) =
            (names.iter().any(is_network), names.iter().any(|name| is_network(name) && name != MTCNN));
        let (shot, own, traditional) = (&self.single_shot, &self.mtcnn, &self.traditional);
        let (haar, seeta) = (HaarConfig::default(), SeetaConfig::default());
        let given = [
            ("device", self.device != Device::default(), network, "networks"),
            ("threshold", shot.threshold.is_some(), single, "centerface and yunet"),
            ("width", shot.width.is_some(), single, "centerface and yunet"),
            ("min-face-size", own.min_face_size.is_some(), has(MTCNN), MTCNN),
            ("thresholds", own.thresholds.is_some(), has(MTCNN), MTCNN),
            ("factor", own.factor.is_some(), has(MTCNN), MTCNN),
            ("crops", own.crops.is_some(), has(MTCNN), MTCNN),
            ("haar-scale-factor", traditional.haar_scale_factor != haar.scale_factor, has(HAAR), HAAR),
            ("haar-min-neighbors", traditional.haar_min_neighbors != haar.min_neighbors, has(HAAR), HAAR),
            ("haar-min-size", traditional.haar_min_size != haar.min_size, has(HAAR), HAAR),
            ("haar-max-size", traditional.haar_max_size.is_some(), has(HAAR), HAAR),
            ("haar-cascade", traditional.haar_cascade.is_some(), has(HAAR), HAAR),
            ("seeta-threshold", traditional.seeta_threshold != seeta.threshold, has(SEETAFACE), SEETAFACE),
            ("seeta-min-face", traditional.seeta_min_face != seeta.min_face, has(SEETAFACE), SEETAFACE),
            ("seeta-model", traditional.seeta_model.is_some(), has(SEETAFACE), SEETAFACE),
        ];
        match given.iter().find(|(_, is_given, is_used, _)| *is_given && !is_used) {
            Some((option, _, _, whose)) => anyhow::bail!("--{option} is for {whose}, not among --detectors"),
            None => Ok(()),
        }
    }

    /// As the detectors take it.
    pub(super) fn config(&self, store: &ModelStore) -> Result<FinderConfig, InferError> {
        let traditional = self.traditional.clone();
        Ok(FinderConfig {
            device: self.device,
            threshold: self.single_shot.threshold,
            width: self.single_shot.width,
            mtcnn: Some(self.mtcnn(store)?),
            haar: HaarConfig {
                scale_factor: traditional.haar_scale_factor,
                min_neighbors: traditional.haar_min_neighbors,
                min_size: traditional.haar_min_size,
                max_size: traditional.haar_max_size,
            },
            cascade: traditional.haar_cascade,
            seeta: SeetaConfig { threshold: traditional.seeta_threshold, min_face: traditional.seeta_min_face },
            seeta_model: traditional.seeta_model,
        })
    }

    /// The manifest's, as in the pipeline, unless given.
    pub(super) fn mtcnn(&self, store: &ModelStore) -> Result<MtcnnParams, InferError> {
        let (given, own) = (&self.mtcnn, MtcnnParams::of(store.detector("mtcnn")?, 0.0)?);
        Ok(MtcnnParams {
            image_size: given.image_size,
            margin: given.margin,
            min_face_size: given.min_face_size.unwrap_or(own.min_face_size),
            thresholds: given.thresholds.unwrap_or(own.thresholds),
            factor: given.factor.unwrap_or(own.factor),
            post_process: given.post_process,
            select_largest: given.select_largest,
            selection_method: given.selection_method,
            keep_all: given.keep_all,
            device: self.device,
        })
    }
}

/// What was typed wrongly, by the name under which it was typed.
pub(super) fn as_typed(error: FinderError) -> anyhow::Error {
    let (key, reason) = match &error {
        FinderError::Unknown { .. } => return anyhow::anyhow!("--detectors: {error}"),
        FinderError::Network(InferError::Setting { key, reason })
        | FinderError::Traditional(DetectorError::Setting { key, reason }) => (*key, reason),
        _ => return error.into(),
    };
    anyhow::anyhow!("--{}: {reason}", key.trim_start_matches("detect.").replace(['.', '_'], "-"))
}

fn thresholds(text: &str) -> Result<[f32; 3], String> {
    let numbers = text.split(',').map(str::parse).collect::<Result<Vec<f32>, _>>();
    let three = numbers.ok().and_then(|numbers| numbers.try_into().ok());
    three.ok_or_else(|| "write three numbers, as in 0.6,0.7,0.7".to_owned())
}

fn selection(text: &str) -> Result<SelectionMethod, String> {
    let known = "none of largest, probability, largest_over_threshold, center_weighted_size";
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| known.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use sightline_infer::{ModelStore, MtcnnParams, SelectionMethod};

    use super::{FinderArguments, as_typed};
    use crate::finders::{FinderConfig, Finders, Purpose};
    use crate::traditional::HaarConfig;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        finders: FinderArguments,
    }

    fn parse(words: &str) -> Result<FinderConfig, String> {
        let words = std::iter::once("x").chain(words.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.finders.config(&store()).map_err(|error| error.to_string())
    }

    fn store() -> ModelStore {
        ModelStore::new("nowhere".as_ref(), None).unwrap()
    }

    #[test]
    fn without_words_everything_is_at_its_default() {
        let expected = FinderConfig { mtcnn: Some(MtcnnParams::default()), ..FinderConfig::default() };
        assert_eq!(parse(""), Ok(expected));
    }

    #[test]
    fn every_parameter_of_facenet_pytorch_is_taken() {
        let words = "--min-face-size 40 --thresholds 0.7,0.8,0.9 --factor 0.6 --crops out --image-size 112 --margin 14 \
                     --post-process false --select-largest false --selection-method center_weighted_size --keep-all";
        let expected = MtcnnParams {
            image_size: 112,
            margin: 14,
            min_face_size: 40,
            thresholds: [0.7, 0.8, 0.9],
            factor: 0.6,
            post_process: false,
            select_largest: false,
            selection_method: Some(SelectionMethod::CenterWeightedSize),
            keep_all: true,
            ..MtcnnParams::default()
        };
        assert_eq!(parse(words).unwrap().mtcnn, Some(expected));
    }

    #[test]
    fn those_of_the_others_as_well() {
        let words = "--threshold 0.4 --width 0 --haar-scale-factor 1.2 --haar-min-neighbors 3 --haar-min-size 20 \
                     --haar-max-size 300 --seeta-threshold 2.8 --seeta-min-face 20";
        let config = parse(words).unwrap();
        assert_eq!((config.threshold, config.width), (Some(0.4), Some(0)));
        let haar = HaarConfig { scale_factor: 1.2, min_neighbors: 3, min_size: 20, max_size: Some(300) };
        assert_eq!((config.haar, config.seeta.threshold, config.seeta.min_face), (haar, 2.8, 20));
    }

    #[test]
    fn a_setting_of_a_detector_that_does_not_take_part_is_refused() {
        let check = |words: &str, names: &str| {
            let words = std::iter::once("x").chain(words.split_whitespace());
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            Line::try_parse_from(words).unwrap().finders.check(&names).map_err(|error| error.to_string())
        };
        for (words, without, with) in [
            ("--device cuda", "haar,seetaface", "haar,yunet"),
            ("--threshold .99", "mtcnn", "mtcnn,centerface"),
            ("--width 0", "mtcnn,haar", "yunet"),
            ("--min-face-size 40", "yunet", "mtcnn"),
            ("--thresholds .6,.7,.8", "centerface", "mtcnn"),
            ("--crops x", "centerface", "mtcnn"),
            ("--haar-scale-factor 1.2", "mtcnn", "haar"),
            ("--haar-min-size 20", "seetaface", "haar"),
            ("--seeta-threshold 2.5", "haar", "seetaface"),
        ] {
            let error = check(words, without).unwrap_err();
            let option = words.split(' ').next().unwrap();
            assert!(error.starts_with(&format!("{option} is for ")), "{error}");
            assert_eq!(check(words, with), Ok(()), "{words}");
        }
        assert_eq!(check("", "haar"), Ok(()));
    }

    #[test]
    fn what_would_do_nothing_or_is_wrong_is_refused() {
        for alone in ["--image-size 112", "--margin 14", "--post-process false", "--keep-all", "--select-largest true"]
        {
            assert!(parse(alone).unwrap_err().contains("--crops"), "{alone}");
        }
        assert!(parse("--thresholds 0.6,0.7").unwrap_err().contains("0.6,0.7,0.7"));
        assert!(parse("--crops x --selection-method best").unwrap_err().contains("largest_over_threshold"));
        assert!(parse("--device abacus").unwrap_err().contains("openvino"));
        let refused = |name: &str, words: &str| {
            let finders = Finders::new(store(), parse(words).unwrap());
            as_typed(finders.open(name, Purpose::Use).unwrap_err()).to_string()
        };
        assert_eq!(refused("centerface", "--threshold 2"), "--threshold: 2 is not from 0 to 1");
        let haar = refused("haar", "--haar-min-size 90 --haar-max-size 80");
        assert_eq!(haar, "--haar-max-size: 80 is less than the smallest face, 90");
        assert!(refused("mtcnn", "--factor 1").starts_with("--factor: 1 is not between"));
        assert!(refused("mtcnn", "--crops x --margin 160").starts_with("--margin: 160 leaves nothing"));
        assert!(
            refused("seetaface", "--seeta-min-face 10 --seeta-model Cargo.toml").starts_with("--seeta-min-face: 10")
        );
        assert!(refused("hog", "").starts_with("--detectors: no detector `hog`"));
    }
}
