//! Gray pictures of faces: LFW's fixed region, or the aligned face in the same frame.

use serde::Serialize;
use sightline_vision::{FaceCut, Landmarks, Point, RgbImage, Similarity, warp};

use crate::classical::{GrayImage, Region, Sample};
use crate::crops::Missing;

/// Sides of LFW's pictures.
const LFW_SIDES: (u32, u32) = (250, 250);

/// Where the five landmarks lie in LFW's region: the mean over LFW's development set as CenterFace sees them, so that an
/// aligned face fills the frame as LFW's do, and as the crops of `collect` do.
const LANDMARKS: [[f32; 2]; 5] = [[26.6, 43.2], [67.8, 43.0], [47.2, 67.6], [30.5, 87.5], [64.6, 87.3]];

/// What eigenfaces and LBPH see of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// The middle of LFW's pictures of 250x250 pixels, as scikit-learn cuts it
    Lfw,
    /// The face that the detector finds, turned and scaled to the frame of LFW's
    Face,
}

/// One picture at both sizes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grays {
    /// For eigenfaces: 47x62, as scikit-learn's.
    pub(super) small: Sample,
    /// For LBPH: 94x125, for a cell of a smaller picture has too few pixels for a histogram.
    pub(super) full: Sample,
}

impl Grays {
    fn of(image: &RgbImage, region: Region) -> Result<Self, Missing> {
        let sides = (image.width() as usize, image.height() as usize);
        let cut = |size| {
            let gray = GrayImage::from_rgb(image.data(), sides, region, size);
            gray.map(Sample::Gray).map_err(|error| Missing::Unusable(error.to_string()))
        };
        Ok(Self { small: cut(Region::LFW_SIZE)?, full: cut((region.width, region.height))? })
    }

    /// LFW's region of one of LFW's pictures.
    pub(super) fn of_lfw(image: &RgbImage) -> Result<Self, Missing> {
        let sides = (image.width(), image.height());
        if sides != LFW_SIDES {
            let why = format!("{}x{} pixels, LFW's pictures have 250x250: use --crop face", sides.0, sides.1);
            return Err(Missing::Unusable(why));
        }
        Self::of(image, Region::LFW)
    }

    /// The face, aligned.
    pub(super) fn of_face(cut: &FaceCut) -> Result<Self, Missing> {
        let target: Landmarks = LANDMARKS.map(|[x, y]| Point { x, y });
        let Some(transform) = Similarity::estimate(&cut.landmarks, &target) else {
            return Err(Missing::Unusable("its landmarks fit no rotation and scale".to_owned()));
        };
        let (width, height) = (Region::LFW.width, Region::LFW.height);
        let chip = warp(&cut.image, &transform, width as u32, height as u32);
        Self::of(&chip, Region { left: 0, top: 0, width, height })
    }
}

/// Whether a picture can be one of LFW's.
pub(super) fn is_lfw(image: &RgbImage) -> bool {
    (image.width(), image.height()) == LFW_SIDES
}

#[cfg(test)]
mod tests {
    use sightline_vision::{FaceCut, Point, Rect, RgbImage};

    use super::{Grays, LANDMARKS};
    use crate::classical::{Region, Sample, Shape};
    use crate::crops::Missing;

    fn value(sample: &Sample, x: usize, y: usize) -> f32 {
        let Shape::Gray { width, .. } = sample.shape() else { panic!("{sample:?}") };
        sample.values()[y * width + x]
    }

    #[test]
    fn lfws_region_at_both_sizes_and_no_other_picture() {
        let mut image = RgbImage::filled(250, 250, [0; 3]);
        // The pixel in the region's upper left corner.
        let place = 3 * (Region::LFW.top * 250 + Region::LFW.left);
        image.data_mut()[place..place + 3].fill(255);
        let grays = Grays::of_lfw(&image).unwrap();
        assert_eq!(grays.small.shape(), Shape::Gray { width: 47, height: 62 });
        assert_eq!(grays.full.shape(), Shape::Gray { width: 94, height: 125 });
        assert_eq!((value(&grays.full, 0, 0), value(&grays.full, 1, 0)), (1.0, 0.0));
        assert!(value(&grays.small, 0, 0) > 0.2);
        let other = Grays::of_lfw(&RgbImage::filled(251, 250, [0; 3]));
        assert!(matches!(other, Err(Missing::Unusable(why)) if why.contains("251x250") && why.contains("--crop face")));
    }

    #[test]
    fn an_aligned_face_has_its_landmarks_where_lfws_are() {
        // A face at twice the size, 20 pixels from the edge, with a white spot on its left eye.
        let landmarks = LANDMARKS.map(|[x, y]| Point { x: 2.0 * x + 20.0, y: 2.0 * y + 20.0 });
        let mut image = RgbImage::filled(256, 256, [0; 3]);
        let (left, top) = (landmarks[0].x as usize, landmarks[0].y as usize);
        for y in top - 3..=top + 3 {
            let start = 3 * (y * 256 + left - 3);
            image.data_mut()[start..start + 21].fill(255);
        }
        let cut = FaceCut { image, face: Rect::new(40.0, 40.0, 200.0, 240.0), landmarks };
        let grays = Grays::of_face(&cut).unwrap();
        let eye = (LANDMARKS[0][0].round() as usize, LANDMARKS[0][1].round() as usize);
        assert!(value(&grays.full, eye.0, eye.1) > 0.95);
        assert!(value(&grays.full, eye.0 + 6, eye.1) < 0.05);
        assert_eq!(grays.full.shape(), Shape::Gray { width: 94, height: 125 });
        let nowhere = FaceCut { landmarks: [Point { x: 9.0, y: 9.0 }; 5], ..cut };
        assert!(Grays::of_face(&nowhere).is_err());
    }
}
