//! Whether a manifest's values make sense: what is refused here would else show as nonsense in the results.

use sightline_vision::Planes;

use super::{Alignment, DetectorSection, EmbedderSection, InputContract, Manifest, ModelFile, ModelKind, Thresholds};
use crate::detector::is_input_width;

/// No network has a coarser grid.
const LARGEST_MULTIPLE: u32 = 1024;

/// Longest vector and largest input of an embedder, far beyond any there is.
const LARGEST_DIMENSION: usize = 16_384;
const LARGEST_CROP: u32 = 2048;

/// P-Net's cell.
const SMALLEST_FACE: f32 = 12.0;

impl Manifest {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.id.is_empty() || self.id.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
            return Err("`id` must be letters, digits, `-`, `_` and `.`".to_owned());
        }
        if self.files.is_empty() {
            return Err("at least one `[[file]]` is needed".to_owned());
        }
        for file in &self.files {
            file.check()?;
        }
        self.input.check()?;
        match (self.kind, &self.detector, &self.embedder) {
            (ModelKind::Detector, Some(detector), None) => self.check_detector(detector),
            (ModelKind::Detector, ..) => Err("a detector has `[detector]` and no `[embedder]`".to_owned()),
            (ModelKind::Embedder, None, Some(embedder)) => self.check_embedder(embedder),
            (ModelKind::Embedder, ..) => Err("an embedder has `[embedder]` and no `[detector]`".to_owned()),
        }
    }

    /// Values that are there must be good ones, and each family has its own keys.
    fn check_detector(&self, section: &DetectorSection) -> Result<(), String> {
        section.check()?;
        let single_shot = [
            ("threshold", section.threshold.is_some()),
            ("nms_iou", section.nms_iou.is_some()),
            ("width", section.width.is_some()),
        ];
        let cascade = [
            ("min_face_size", section.min_face_size.is_some()),
            ("thresholds", section.thresholds.is_some()),
            ("factor", section.factor.is_some()),
        ];
        let (needed, foreign) = match self.family.as_str() {
            "centerface" | "yunet" => {
                self.check_free_input()?;
                (single_shot, cascade)
            }
            "mtcnn" => (cascade, single_shot),
            // Refused when it is used: other manifests in its folder may be good.
            _ => return Ok(()),
        };
        if let Some((key, _)) = needed.iter().find(|(_, given)| !given) {
            return Err(format!("family `{}` needs `detector.{key}`", self.family));
        }
        match foreign.iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(format!("family `{}` has no `detector.{key}`", self.family)),
            None => Ok(()),
        }
    }

    /// Both single-shot families halve the picture five times.
    fn check_free_input(&self) -> Result<(), String> {
        let (family, input) = (&self.family, &self.input);
        if !input.multiple_of.is_multiple_of(32) {
            return Err(format!("`input.multiple_of` {} must be a multiple of 32 for `{family}`", input.multiple_of));
        }
        if (input.width, input.height) != (0, 0) {
            return Err(format!("`input.width` and `input.height` must be 0 for `{family}`: it takes any size"));
        }
        Ok(())
    }

    fn check_embedder(&self, embedder: &EmbedderSection) -> Result<(), String> {
        let size = embedder.crop_size;
        if size == 0 || (self.input.width, self.input.height) != (size, size) {
            return Err("`embedder.crop_size` must equal `input.width` and `input.height`".to_owned());
        }
        if size > LARGEST_CROP {
            return Err(format!("`embedder.crop_size` {size} is more than {LARGEST_CROP}"));
        }
        if !(1..=LARGEST_DIMENSION).contains(&embedder.dimension) {
            let dimension = embedder.dimension;
            return Err(format!("`embedder.dimension` {dimension} is not from 1 to {LARGEST_DIMENSION}"));
        }
        if embedder.alignment == Alignment::Box && embedder.margin >= size {
            return Err("`embedder.margin` must be less than `embedder.crop_size`".to_owned());
        }
        if embedder.alignment == Alignment::Similarity && embedder.templates.is_empty() {
            return Err("alignment `similarity` needs `[embedder.templates]`".to_owned());
        }
        let inside = |value: &f32| (0.0..=size as f32).contains(value);
        if let Some((name, _)) = embedder.templates.iter().find(|(_, points)| !points.as_flattened().iter().all(inside))
        {
            return Err(format!("`embedder.templates.{name}` must lie in the input, from 0 to {size}"));
        }
        let Some(thresholds) = &self.thresholds else {
            return Err("an embedder needs `[thresholds]`".to_owned());
        };
        thresholds.check()
    }
}

impl ModelFile {
    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(format!("`file.name` `{name}` must be a plain file name"));
        }
        let hex = |sum: &str| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        if !self.sha256.is_empty() && !hex(&self.sha256) {
            return Err(format!("`sha256` of `{name}` must be 64 lower-case hexadecimal digits, or empty"));
        }
        if self.inputs.len() != 1 || self.outputs.is_empty() {
            return Err(format!("`{name}` needs exactly one of `inputs` and at least one of `outputs`"));
        }
        Ok(())
    }
}

impl InputContract {
    fn check(&self) -> Result<(), String> {
        if !(1..=LARGEST_MULTIPLE).contains(&self.multiple_of) {
            return Err(format!("`input.multiple_of` {} is not from 1 to {LARGEST_MULTIPLE}", self.multiple_of));
        }
        if !self.mean.iter().all(|mean| (-255.0..=255.0).contains(mean)) {
            return Err(format!("`input.mean` {:?} must be in the range of pixels", self.mean));
        }
        if !self.scale.iter().all(|scale| (1e-6..=1e6).contains(&scale.abs())) {
            return Err(format!("`input.scale` {:?} must be finite and not 0", self.scale));
        }
        Ok(())
    }
}

impl DetectorSection {
    fn check(&self) -> Result<(), String> {
        let share = |value: &f32| (0.0..=1.0).contains(value);
        for (key, value) in [("threshold", self.threshold), ("nms_iou", self.nms_iou)] {
            if let Some(value) = value.filter(|value| !share(value)) {
                return Err(format!("`detector.{key}` {value} is not from 0 to 1"));
            }
        }
        if let Some(width) = self.width.filter(|width| !is_input_width(*width)) {
            return Err(format!(
                "`detector.width` {width} is neither 0 (full size) nor from 64 to {}",
                Planes::MAX_SIDE
            ));
        }
        let sizes = SMALLEST_FACE..=Planes::MAX_SIDE as f32;
        if let Some(size) = self.min_face_size.filter(|size| !sizes.contains(size)) {
            let (least, most) = (sizes.start(), sizes.end());
            return Err(format!("`detector.min_face_size` {size} is not from {least} (P-Net's cell) to {most}"));
        }
        if let Some(thresholds) = self.thresholds.filter(|thresholds| !thresholds.iter().all(share)) {
            return Err(format!("`detector.thresholds` {thresholds:?} are not all from 0 to 1"));
        }
        match self.factor.filter(|factor| !(*factor > 0.0 && *factor < 1.0)) {
            Some(factor) => Err(format!("`detector.factor` {factor} is not between 0 and 1")),
            None => Ok(()),
        }
    }
}

impl Thresholds {
    fn check(&self) -> Result<(), String> {
        let [low, high] = self.plausible;
        if !(low < high && (-1.0..=1.0).contains(&low) && (-1.0..=1.0).contains(&high)) {
            return Err("`thresholds.plausible` must be a lower and a higher cosine".to_owned());
        }
        for (key, value) in [("accept", self.accept), ("unknown", self.unknown), ("cluster", self.cluster)] {
            if !(low..=high).contains(&value) {
                return Err(format!("`thresholds.{key}` {value} is outside `plausible` {low} to {high}"));
            }
        }
        if !(self.unknown <= self.accept && self.accept <= self.cluster) {
            return Err("`thresholds` must be in the order unknown, accept, cluster".to_owned());
        }
        if !(0.0..1.0).contains(&self.margin) {
            return Err("`thresholds.margin` must be from 0 to 1".to_owned());
        }
        if !(self.false_accept_rate > 0.0 && self.false_accept_rate < 1.0) {
            return Err("`thresholds.false_accept_rate` must be between 0 and 1".to_owned());
        }
        Ok(())
    }
}
