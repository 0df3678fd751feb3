//! Images in memory: planes, crops, warps, non-maximum suppression, alignment, quality, JPEG. Pure, no I/O.
//!
//! Conventions, everywhere in Sightline: the origin is the top left corner, x grows to the right and y down; a
//! pixel's value sits at its centre, so pixel 0 covers `0.0..1.0`; boxes are `[x1, y1, x2, y2]` with `x2` and `y2`
//! exclusive; colours are 8-bit RGB unless a type says otherwise; landmarks are left eye, right eye, nose, left and
//! right mouth corner, left and right as seen in the picture.

mod geometry;
mod image;
mod quality;

pub use geometry::{Landmarks, Point, Rect};
pub use image::{ColorMatrix, ColorRange, ImageError, Picture, PlaneLayout, Planes, RgbImage};
pub use quality::{Quality, QualityReason};
