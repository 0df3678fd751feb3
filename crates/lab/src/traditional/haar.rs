//! Viola-Jones: OpenCV's cascade of Haar features, decided window by window as OpenCV's `detectMultiScale` does.
//!
//! Why this is no library's is said in [`crate::traditional`].

mod cascade;
mod group;
mod integral;
mod pyramid;
mod search;

use std::path::Path;

use sightline_vision::{Picture, Rect};

use crate::traditional::error::DetectorError;
use crate::traditional::found::{FoundFace, sort};
use crate::traditional::gray::GrayImage;
use crate::traditional::model::ModelFile;
use crate::traditional::resize::resize;

use cascade::Cascade;
use integral::Integral;
use search::{Search, Window};

/// Where Debian's package `opencv-data` puts the cascade for frontal faces, and which one the reference results are made with.
pub const DEBIAN_CASCADE: ModelFile = ModelFile {
    name: "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml",
    sha256: "0f7d4527844eb514d4a4948e822da90fbb16a34a0bbbbc6adc6498747a5aafb0",
    way_out: "`cargo xtask setup` installs it with Debian's package opencv-data; --haar-cascade takes another file as it is",
};

/// The parameters of OpenCV's `detectMultiScale`; the default is what the reference results were made with.
#[derive(Clone, Debug, PartialEq)]
pub struct HaarConfig {
    /// Ratio of the sizes of one level of search and the next, above 1: nearer to 1 finds more and takes longer.
    pub scale_factor: f64,
    /// A face is reported where more windows than this agree; 0 reports every window by itself. The number of windows that agree
    /// is the score. A threshold on the score of what [`HaarConfig::for_curve`] finds gives exactly what a search with
    /// that `min_neighbors` would.
    pub min_neighbors: u32,
    /// Smallest face, pixels.
    pub min_size: u32,
    /// Largest face, pixels; None is the picture.
    pub max_size: Option<u32>,
}

impl Default for HaarConfig {
    fn default() -> Self {
        Self { scale_factor: 1.1, min_neighbors: 5, min_size: 40, max_size: None }
    }
}

impl HaarConfig {
    /// The default with every face that two windows agree on, down to scores that nobody would accept.
    #[must_use]
    pub fn for_curve() -> Self {
        Self { min_neighbors: 1, ..Self::default() }
    }

    /// Whether a detector would take these parameters.
    ///
    /// # Errors
    /// [`DetectorError::Setting`].
    pub fn check(&self) -> Result<(), DetectorError> {
        if !(self.scale_factor.is_finite() && self.scale_factor >= 1.001) {
            let reason = format!("{} is not at least 1.001", self.scale_factor);
            return Err(DetectorError::Setting { key: "haar.scale_factor", reason });
        }
        if let Some(most) = self.max_size.filter(|most| *most < self.min_size) {
            let reason = format!("{most} is less than the smallest face, {}", self.min_size);
            return Err(DetectorError::Setting { key: "haar.max_size", reason });
        }
        Ok(())
    }
}

/// The cascade, loaded and checked. One for a thread.
#[derive(Debug)]
pub struct HaarDetector {
    cascade: Cascade,
    config: HaarConfig,
    sha256: String,
    /// Kept from picture to picture, for their memory.
    level: Vec<u8>,
    integral: Integral,
}

impl HaarDetector {
    /// Reads a cascade of stumps over upright Haar features; None takes [`DEBIAN_CASCADE`], which has to be the one that is known.
    ///
    /// # Errors
    /// [`DetectorError`] naming the file and what is wrong with it, or the parameter.
    pub fn open(cascade: Option<&Path>, config: HaarConfig) -> Result<Self, DetectorError> {
        config.check()?;
        let path = cascade.unwrap_or(DEBIAN_CASCADE.name.as_ref());
        let (bytes, sha256) = ModelFile::read(path, cascade.is_none().then_some(&DEBIAN_CASCADE))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| DetectorError::Cascade { path: path.to_owned(), reason: error.to_string() })?;
        let cascade = Cascade::parse(text, path)?;
        Ok(Self { cascade, config, sha256, level: Vec::new(), integral: Integral::default() })
    }

    /// The faces of a picture, best score first; the score is the number of windows that agree.
    pub fn detect(&mut self, picture: Picture<'_>) -> Vec<FoundFace> {
        self.detect_gray(&GrayImage::of(picture))
    }

    /// The same for a gray picture.
    pub fn detect_gray(&mut self, image: &GrayImage) -> Vec<FoundFace> {
        let windows = self.windows(image);
        let (right, bottom) = (image.width() as f32, image.height() as f32);
        let face = |group: group::Group| {
            let Window { x, y, width, height } = group.window;
            let bbox = Rect::new(x as f32, y as f32, (x + width) as f32, (y + height) as f32)
                .intersection(&Rect::new(0.0, 0.0, right, bottom));
            FoundFace { bbox, score: group.neighbors as f32 }
        };
        let groups = group::group(&windows, self.config.min_neighbors);
        let mut faces: Vec<FoundFace> = groups.into_iter().map(face).filter(|face| face.bbox.area() > 0.0).collect();
        sort(&mut faces);
        faces
    }

    /// Every window that passes the cascade, at every size.
    fn windows(&mut self, image: &GrayImage) -> Vec<Window> {
        let mut windows = Vec::new();
        for level in pyramid::levels((image.width(), image.height()), self.cascade.window, &self.config) {
            resize(image, level.size, &mut self.level);
            self.integral.fill(&self.level, level.size.0);
            Search::new(&self.cascade, self.integral.stride).run(&self.integral, &level, &mut windows);
        }
        windows
    }

    /// The sha256 of its file, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::{Picture, RgbImage};

    use super::cascade::tests::SMALL;
    use super::{HaarConfig, HaarDetector};
    use crate::scratch::Scratch;
    use crate::traditional::error::DetectorError;

    fn small(config: HaarConfig) -> Result<HaarDetector, DetectorError> {
        let scratch = Scratch::new();
        let path = scratch.file("small.xml", SMALL.as_bytes()).path().join("small.xml");
        HaarDetector::open(Some(&path), config)
    }

    #[test]
    fn boxes_are_in_pixels_of_the_picture_and_inside_it() {
        let config = HaarConfig { min_size: 0, min_neighbors: 1, ..HaarConfig::default() };
        let mut detector = small(config).unwrap();
        assert_eq!(detector.sha256().len(), 64);
        let half = 3 * 50 * 20;
        let data = (0..2 * half).map(|at| if at < half { 0 } else { 200 }).collect();
        let image = RgbImage::new(50, 40, data).unwrap();
        let faces = detector.detect(Picture::Rgb(&image));
        assert!(!faces.is_empty());
        for pair in faces.windows(2) {
            assert!(pair[0].score >= pair[1].score);
        }
        for face in &faces {
            assert!(face.bbox.x1 >= 0.0 && face.bbox.y1 >= 0.0 && face.bbox.x2 <= 50.0 && face.bbox.y2 <= 40.0);
            assert!(face.score > 1.0);
        }
        assert!(detector.detect(Picture::Rgb(&RgbImage::filled(50, 40, [9; 3]))).is_empty());
    }

    #[test]
    fn pictures_smaller_than_a_face_have_none() {
        let mut detector = small(HaarConfig::default()).unwrap();
        for (width, height) in [(1, 1), (3, 90), (90, 3), (39, 39)] {
            assert!(detector.detect(Picture::Rgb(&RgbImage::filled(width, height, [9; 3]))).is_empty());
        }
    }

    #[test]
    fn parameters_and_files_are_checked() {
        for scale_factor in [1.0, 0.5, f64::NAN, f64::INFINITY] {
            let error = small(HaarConfig { scale_factor, ..HaarConfig::default() }).unwrap_err();
            assert!(error.to_string().contains("haar.scale_factor"), "{error}");
        }
        let upside_down = small(HaarConfig { max_size: Some(39), ..HaarConfig::default() }).unwrap_err();
        assert!(upside_down.to_string().contains("39 is less than the smallest face, 40"), "{upside_down}");
        assert!(small(HaarConfig { max_size: Some(40), ..HaarConfig::default() }).is_ok());
        let missing = HaarDetector::open(Some("nowhere.xml".as_ref()), HaarConfig::default()).unwrap_err();
        assert!(missing.to_string().contains("nowhere.xml"), "{missing}");
    }
}
