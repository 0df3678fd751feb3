//! Aligned crops: faces turned upright, where and as large as they are in LFW's pictures, so that everything made for LFW takes them.

use sightline_vision::{ImageError, Landmarks, Picture, Point, Rect, RgbImage, cut_square, similarity_chip};

/// Side of a crop in pixels: that of LFW's pictures.
pub(super) const SIDE: u32 = 250;

/// Where LFW's people have their landmarks, pixels: the mean over the development set as CenterFace sees it, made even on both sides.
const LFW: [(f32, f32); 5] = [(104.3, 113.3), (146.7, 113.3), (125.5, 138.1), (107.7, 157.6), (143.3, 157.6)];

/// What is cut out before it is turned, as a multiple of the box's longer side: no corner of the crop lies outside then.
const REACH: f32 = 3.5;

/// Longest side of that, pixels: half as much again as the crop can show of it.
const LONGEST: u32 = 600;

/// A face with its surroundings, not yet turned.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    image: RgbImage,
    landmarks: Landmarks,
}

impl Surroundings {
    /// Of a face, box and landmarks in the picture's pixels. Outside the picture its border is repeated.
    ///
    /// # Errors
    /// [`ImageError::Region`] for a box that is not valid or lies outside the picture.
    pub(super) fn cut(picture: Picture<'_>, bbox: &Rect, landmarks: &Landmarks) -> Result<Self, ImageError> {
        let cut = cut_square(picture, &bbox.square(REACH), LONGEST)?;
        let landmarks = landmarks.map(|point| cut.map(point));
        Ok(Self { image: cut.image, landmarks })
    }

    /// The aligned crop. None for landmarks that fit no rotation and scale.
    pub(super) fn aligned(&self) -> Option<RgbImage> {
        similarity_chip(&self.image, &self.landmarks, &LFW.map(|(x, y)| Point { x, y }), SIDE)
    }
}

#[cfg(test)]
mod tests {
    use sightline_infer::{Detector, DetectorConfig, Device, ModelStore, Runtime};
    use sightline_vision::{Picture, Point, Rect, RgbImage, decode_still};

    use super::{LFW, SIDE, Surroundings};
    use crate::dataset::Dataset;

    #[test]
    fn a_tilted_face_comes_out_upright_and_no_corner_is_empty() {
        // A grey picture with a white square at each landmark of a face of twice LFW's size, turned by a fifth of a circle.
        let (sin, cos) = 1.2_f32.sin_cos();
        let turned = LFW.map(|(x, y)| {
            let (x, y) = ((x - 125.0) * 2.0, (y - 135.0) * 2.0);
            Point { x: 400.5 + cos * x - sin * y, y: 300.5 + sin * x + cos * y }
        });
        let mut image = RgbImage::filled(800, 600, [90; 3]);
        for (y, row) in image.data_mut().chunks_exact_mut(3 * 800).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                let near = |point: &Point| (point.x - x as f32).abs() < 4.0 && (point.y - y as f32).abs() < 4.0;
                if turned.iter().any(near) {
                    pixel.fill(255);
                }
            }
        }
        let bbox = Rect::new(290.0, 170.0, 510.0, 430.0);
        let crop = Surroundings::cut(Picture::Rgb(&image), &bbox, &turned).unwrap().aligned().unwrap();
        assert_eq!((crop.width(), crop.height()), (SIDE, SIDE));
        for (x, y) in LFW {
            assert!(crop.pixel(x as u32, y as u32)[0] > 200, "{x} {y}: {:?}", crop.pixel(x as u32, y as u32));
        }
        assert!(crop.data().iter().all(|value| *value >= 90));
    }

    #[test]
    fn a_face_at_the_border_has_the_border_repeated() {
        let image = RgbImage::filled(100, 100, [70; 3]);
        let landmarks = LFW.map(|(x, y)| Point { x: x / 2.0 - 40.0, y: y / 2.0 - 40.0 });
        let crop = Surroundings::cut(Picture::Rgb(&image), &Rect::new(-5.0, -5.0, 45.0, 55.0), &landmarks).unwrap();
        assert!(crop.aligned().unwrap().data().iter().all(|value| *value == 70));
        let coinciding = [Point { x: 20.0, y: 20.0 }; 5];
        let nowhere = Surroundings::cut(Picture::Rgb(&image), &Rect::new(0.0, 0.0, 50.0, 60.0), &coinciding).unwrap();
        assert_eq!(nowhere.aligned(), None);
    }

    #[test]
    fn the_place_is_that_of_lfw() {
        let Some(shared) = sightline_testkit::shared_or_skip("collect::align::the_place_is_that_of_lfw") else {
            return;
        };
        let library = sightline_testkit::onnxruntime().unwrap();
        let runtime = Runtime::load(Some(&library), Device::Cpu, 1).unwrap();
        let store = ModelStore::default_location().unwrap();
        let config = DetectorConfig { width: Some(0), ..DetectorConfig::new("centerface") };
        let mut detector = Detector::open(&runtime, &store, &config).unwrap();
        let dataset = Dataset::open(&shared.join("data/lfw-dev")).unwrap();
        let (mut sums, mut count) = ([(0.0, 0.0); 5], 0.0);
        for sample in dataset.samples().iter().step_by(8) {
            let picture = decode_still(&std::fs::read(dataset.path(sample)).unwrap(), 1 << 20).unwrap();
            let found = detector.detect(Picture::Rgb(&picture)).unwrap();
            let central = |x: f32, y: f32| (x - 125.0).abs() + (y - 125.0).abs();
            let face = found.into_iter().min_by(|a, b| {
                let distance = |rect: &Rect| central(rect.center().x, rect.center().y);
                distance(&a.bbox).total_cmp(&distance(&b.bbox))
            });
            let Some(face) = face else { continue };
            count += 1.0;
            for (sum, point) in sums.iter_mut().zip(face.landmarks) {
                *sum = (sum.0 + point.x, sum.1 + point.y);
            }
        }
        let means = sums.map(|(x, y)| (x / count, y / count));
        for ((x, y), (at_x, at_y)) in means.into_iter().zip(LFW) {
            assert!((x - at_x).abs() < 1.5 && (y - at_y).abs() < 1.5, "{means:?}");
        }
    }
}
