//! From a picture to the input tensor of a single-shot network, and back from its pixels to the picture's.

use sightline_vision::{Normalization, Picture, Planes, RgbImage, VideoScaler, append_tensor, resize_opencv};

use crate::detector::Detection;
use crate::error::InferError;
use crate::manifest::InputContract;

/// Fills the tensor of a network with free input size, and keeps the buffers for the next picture.
#[derive(Debug)]
pub(super) struct NetworkInput {
    normalization: Normalization,
    multiple_of: u32,
    /// 0 is full size.
    width: u32,
    enlarge: bool,
    scaler: VideoScaler,
    tensor: Vec<f32>,
}

impl NetworkInput {
    pub(super) fn new(contract: &InputContract, width: u32, enlarge: bool) -> Self {
        Self {
            normalization: contract.normalization(),
            multiple_of: contract.multiple_of,
            width,
            enlarge,
            scaler: VideoScaler::default(),
            tensor: Vec::new(),
        }
    }

    /// The size of the network's input for a picture of this size: `width` wide, or the picture's own width if that is less and it
    /// is not to be enlarged; both sides rounded up to the multiple that the network takes (so the aspect changes a little, as
    /// in CenterFace's reference).
    pub(super) fn size_for(&self, (width, height): (u32, u32)) -> Result<(u32, u32), InferError> {
        let target = match self.width {
            0 => width,
            exact if self.enlarge => exact,
            at_most => at_most.min(width),
        };
        let scaled = (f64::from(height) * f64::from(target) / f64::from(width)).round() as u32;
        // The longest strip of a picture would otherwise round to nothing.
        let round_up = |side: u32| side.max(1).next_multiple_of(self.multiple_of);
        let size = (round_up(target), round_up(scaled));
        if size.0.max(size.1) > Planes::MAX_SIDE.next_multiple_of(self.multiple_of) {
            let reason = format!(
                "a picture of {width}x{height} would be enlarged to {}x{}, beyond {} pixels a side",
                size.0,
                size.1,
                Planes::MAX_SIDE
            );
            return Err(InferError::Setting { key: "detect.width", reason });
        }
        Ok(size)
    }

    /// The picture as tensor of this size.
    pub(super) fn fill(&mut self, picture: Picture<'_>, (width, height): (u32, u32)) -> Result<&[f32], InferError> {
        let (scaler, tensor, normalization) = (&mut self.scaler, &mut self.tensor, &self.normalization);
        match picture {
            Picture::Planes(planes) => {
                scaler.fill(planes, (width, height), normalization, tensor).map_err(unusable)?;
            }
            Picture::Rgb(image) => {
                tensor.clear();
                if (image.width(), image.height()) == (width, height) {
                    append_tensor(image, normalization, tensor);
                } else {
                    append_tensor(&resize_opencv(image, width, height), normalization, tensor);
                }
            }
        }
        Ok(&self.tensor)
    }
}

/// Whole frame to RGB, for a detector that builds picture pyramids.
pub(super) fn to_rgb(planes: &Planes) -> Result<RgbImage, InferError> {
    sightline_vision::to_rgb(planes).map_err(unusable)
}

fn unusable(error: sightline_vision::ImageError) -> InferError {
    InferError::Output { model: "input".to_owned(), reason: error.to_string() }
}

/// Brings a face from the network's pixels back to the picture's.
pub(super) fn to_picture(face: &Detection, network: (u32, u32), picture: (u32, u32)) -> Detection {
    face.scaled((picture.0 as f32 / network.0 as f32, picture.1 as f32 / network.1 as f32))
}

#[cfg(test)]
mod tests {
    use super::NetworkInput;
    use crate::manifest::{ColorOrder, InputContract, TensorLayout};

    fn input(width: u32, enlarge: bool) -> NetworkInput {
        let contract = InputContract {
            color: ColorOrder::Rgb,
            layout: TensorLayout::Nchw,
            mean: [0.0; 3],
            scale: [1.0; 3],
            multiple_of: 32,
            width: 0,
            height: 0,
        };
        NetworkInput::new(&contract, width, enlarge)
    }

    #[test]
    fn sizes_are_multiples_and_pictures_are_enlarged_only_when_asked() {
        assert_eq!(input(640, false).size_for((1280, 720)).unwrap(), (640, 384));
        assert_eq!(input(640, false).size_for((400, 300)).unwrap(), (416, 320));
        assert_eq!(input(640, true).size_for((400, 300)).unwrap(), (640, 480));
        assert_eq!(input(640, true).size_for((1280, 720)).unwrap(), (640, 384));
        assert_eq!(input(0, true).size_for((1200, 630)).unwrap(), (1216, 640));
        assert_eq!(input(640, false).size_for((16_000, 1)).unwrap(), (640, 32));
        assert_eq!(input(0, false).size_for((16_384, 16_384)).unwrap(), (16_384, 16_384));
        let refused = input(640, true).size_for((1, 16_000)).unwrap_err().to_string();
        assert!(refused.contains("detect.width") && refused.contains("1x16000"), "{refused}");
    }
}
