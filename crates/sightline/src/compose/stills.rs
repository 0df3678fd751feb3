//! The detector of stills: one of its own, so that a picture neither waits for the cameras' frames nor they for it, and is not looked at in
//! the width that was chosen for video.

use anyhow::Result;
use sightline_infer::{Detection, Detector, DetectorConfig, FaceDetector, InferError, Runtime};
use sightline_vision::{Picture, Region, RgbImage, resize_pillow};

use crate::config::Resolved;

/// Long side of what the detector sees of a still, pixels; larger pictures are shrunk to it. Of 23 photos cut so close that the face fills
/// most of the picture, CenterFace finds each face once up to 800, one of them twice at 960, and 18 twice or not at all at 1280. In a group
/// photo of 3000 pixels it finds all 29 faces from 640 on, and 2 at the 320 of the profile `fast`. It also bounds time and memory, which
/// grow with the area.
const LONG_SIDE: u32 = 800;

/// Opens its network with the first still: most processes with a detector never see one, and it costs memory.
pub(super) struct StillDetector<D = Detector> {
    open: Box<dyn Fn() -> Result<D, InferError> + Send>,
    network: Option<D>,
    model_id: String,
    /// Shorter side of the smallest face reported, pixels of the still.
    min_face: f32,
}

impl StillDetector {
    /// The cameras' model, whose files are compared with the manifest now.
    pub(super) fn new(resolved: &Resolved, runtime: &Runtime) -> Result<Self, InferError> {
        let (wanted, store, runtime) = (config(&resolved.detector), resolved.store.clone(), runtime.clone());
        let model_id = store.verify(&wanted.model)?.as_str().to_owned();
        let open = Box::new(move || Detector::open(&runtime, &store, &wanted));
        Ok(Self { open, network: None, model_id, min_face: resolved.detector.min_face })
    }
}

/// The cameras' settings, aside from those that count pixels: the picture is shrunk before.
fn config(cameras: &DetectorConfig) -> DetectorConfig {
    DetectorConfig { width: cameras.width.map(|_| 0), min_face: 0.0, ..cameras.clone() }
}

impl<D: FaceDetector> FaceDetector for StillDetector<D> {
    fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError> {
        let network = match &mut self.network {
            Some(network) => network,
            none => none.insert((self.open)()?),
        };
        let shrunk = match picture {
            Picture::Rgb(image) => shrunk(image),
            Picture::Planes(_) => None,
        };
        let mut faces = network.detect(shrunk.as_ref().map_or(picture, Picture::Rgb))?;
        if let Some(shrunk) = &shrunk {
            let (width, height) = picture.size();
            let scale = (width as f32 / shrunk.width() as f32, height as f32 / shrunk.height() as f32);
            faces.iter_mut().for_each(|face| *face = face.scaled(scale));
        }
        faces.retain(|face| face.bbox.width().min(face.bbox.height()) >= self.min_face);
        Ok(faces)
    }

    fn model_id(&self) -> &str {
        &self.model_id
    }
}

/// The picture with [`LONG_SIDE`], if it is larger.
fn shrunk(image: &RgbImage) -> Option<RgbImage> {
    let (width, height) = (image.width(), image.height());
    let long = width.max(height);
    // Rounded, and of the longest strip one pixel is left.
    let side =
        |side: u32| ((u64::from(side) * u64::from(LONG_SIDE) + u64::from(long) / 2) / u64::from(long)).max(1) as u32;
    let whole = Region { x: 0, y: 0, width, height };
    (long > LONG_SIDE).then(|| resize_pillow(image, whole, side(width), side(height)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sightline_infer::{Detection, DetectorConfig, FaceDetector, InferError};
    use sightline_vision::{Picture, Point, Rect, RgbImage};

    use super::{LONG_SIDE, StillDetector, config};

    /// Reports two faces: one over all of the picture, and one of 15 pixels.
    struct Whole;

    impl FaceDetector for Whole {
        fn detect(&mut self, picture: Picture<'_>) -> Result<Vec<Detection>, InferError> {
            let (width, height) = picture.size();
            assert!(width.max(height) <= LONG_SIDE, "{width}x{height}");
            let landmarks = [Point { x: width as f32 / 2.0, y: height as f32 / 4.0 }; 5];
            let face = |x2, y2| Detection { bbox: Rect::new(0.0, 0.0, x2, y2), score: 0.9, landmarks };
            Ok(vec![face(width as f32, height as f32), face(15.0, 15.0)])
        }

        fn model_id(&self) -> &str {
            "whole@0"
        }
    }

    #[test]
    fn large_pictures_are_seen_small_and_faces_are_where_they_were() {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let open = Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Whole)
        });
        let mut detector = StillDetector { open, network: None, model_id: "whole@0".to_owned(), min_face: 20.0 };
        assert_eq!((opened.load(Ordering::SeqCst), detector.model_id()), (0, "whole@0"));
        // Faces of at least 20 pixels of the picture itself: of the longest strips there are none.
        for (width, height, faces) in [(800, 600, 1), (1600, 1203, 2), (900, 4000, 2), (801, 2, 0), (16_000, 1, 0)] {
            let image = RgbImage::filled(width, height, [128; 3]);
            let found = detector.detect(Picture::Rgb(&image)).unwrap();
            assert_eq!(found.len(), faces, "{width}x{height}");
            let Some(face) = found.first() else { continue };
            let (corner, eye) = (Point { x: face.bbox.x2, y: face.bbox.y2 }, face.landmarks[0]);
            let expected = Point { x: width as f32, y: height as f32 };
            assert!((corner.x - expected.x).abs() < 0.01 && (corner.y - expected.y).abs() < 0.01, "{corner:?}");
            assert!((eye.x - expected.x / 2.0).abs() < 0.01 && (eye.y - expected.y / 4.0).abs() < 0.01, "{eye:?}");
        }
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn only_settings_that_count_pixels_differ_from_the_cameras() {
        let cameras = DetectorConfig {
            width: Some(320),
            min_face: 20.0,
            threshold: Some(0.7),
            ..DetectorConfig::new("centerface")
        };
        assert_eq!(config(&cameras), DetectorConfig { width: Some(0), min_face: 0.0, ..cameras.clone() });
        // MTCNN takes no width.
        assert_eq!(config(&DetectorConfig::new("mtcnn")).width, None);
    }
}
