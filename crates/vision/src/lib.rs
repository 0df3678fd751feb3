//! Images in memory: planes, crops, warps, non-maximum suppression, alignment, quality, JPEG; and how the vectors of a visit's pictures become
//! one. Pure, no I/O.
//!
//! Conventions, everywhere in Sightline: the origin is the top left corner, x grows to the right and y down; a
//! pixel's value sits at its centre, so pixel 0 covers `0.0..1.0`; boxes are `[x1, y1, x2, y2]` with `x2` and `y2`
//! exclusive; colours are 8-bit RGB unless a type says otherwise; landmarks are left eye, right eye, nose, left and
//! right mouth corner, left and right as seen in the picture.

mod align;
mod area;
mod convert;
mod crop;
mod fusion;
mod geometry;
mod image;
mod jpeg;
mod nms;
mod quality;
mod resize;
mod tensor;
mod video;
mod warp;

pub use align::{box_crop, similarity_chip};
pub use area::AreaPool;
pub use convert::{Region, to_rgb};
pub use crop::{CROP_FACTOR, CROP_MAX_SIDE, Cut, FaceCut, cut_face, cut_square};
pub use fusion::{fuse, weight_of};
pub use geometry::{Landmarks, Point, Rect};
pub use image::{ColorMatrix, ColorRange, ImageError, Picture, PlaneLayout, Planes, RgbImage};
pub use jpeg::{Subsampling, decode_jpeg, decode_planes, decode_still, encode_planes, encode_rgb};
pub use nms::{Nms, Overlap};
pub use quality::{FaceOrigin, Quality, QualityGates, QualityReason, assess};
pub use resize::{resize_opencv, resize_pillow};
pub use tensor::{Normalization, append_tensor};
pub use video::VideoScaler;
pub use warp::{Similarity, warp};
