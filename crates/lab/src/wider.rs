//! The text formats of WIDER FACE: ground truth, detection results, and the subset lists.
//!
//! All are sequences of blocks: a line with the picture's file, a line with a count, and that many lines.
//! - Ground truth (`wider_face_val_bbx_gt.txt`): `x y w h blur expression illumination invalid occlusion pose`, or
//!   only the first four. After a count of 0 the published files have one line of zeros, which is no face.
//! - Results: `x y w h score`, the faces of one picture or of many in a file.
//! - Subsets (easy, medium, hard): the number of a face in the ground truth, counted from 1, as the published
//!   `gt_list` does. The faces not listed are ignored in an evaluation, neither found nor missed.
//!
//! Coordinates are pixels, `x y` the left top corner.

mod lines;
mod results;

use std::{collections::HashSet, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use results::{Detection, ResultImage, parse_results, read_results, write_results};

use crate::rectangle::Rectangle;
use lines::{Blocks, numbers, rectangle_of};

/// A face of the ground truth, with WIDER FACE's attributes as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruthFace {
    /// Where the face is, in pixels.
    pub area: Rectangle,
    /// 0 clear, 1 normal, 2 heavy blur.
    pub blur: u8,
    /// 0 typical, 1 exaggerate.
    pub expression: u8,
    /// 0 normal, 1 extreme.
    pub illumination: u8,
    /// Whether the annotators gave up on this face; such a face is not counted.
    pub invalid: bool,
    /// 0 none, 1 partial, 2 heavy.
    pub occlusion: u8,
    /// 0 typical, 1 atypical.
    pub pose: u8,
}

impl TruthFace {
    /// A face without further attributes.
    #[must_use]
    pub fn new(area: Rectangle) -> Self {
        Self { area, blur: 0, expression: 0, illumination: 0, invalid: false, occlusion: 0, pose: 0 }
    }
}

/// The faces of one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruthImage {
    /// The picture, relative to the data set.
    pub file: String,
    /// Its faces in the order of the ground truth.
    pub faces: Vec<TruthFace>,
}

/// The faces of one picture that a subset counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsetImage {
    /// The picture, relative to the data set.
    pub file: String,
    /// The numbers of its counted faces in the ground truth, counted from 1.
    pub counted: Vec<usize>,
}

/// What is wrong with a file in one of these formats.
#[derive(Debug, Error)]
pub enum WiderError {
    /// A line is not what belongs there.
    #[error("line {line}: expected {expected}, found `{found}`")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The file ends within a block.
    #[error("the file ends where {expected} was expected for {file}")]
    Ends {
        /// What was expected.
        expected: &'static str,
        /// The picture of the block.
        file: String,
    },
    /// Two blocks are of the same picture.
    #[error("line {line}: {file} comes twice")]
    Twice {
        /// The line of the second block.
        line: usize,
        /// The picture.
        file: String,
    },
    /// A result file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One file of a folder of results is wrong.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<WiderError>,
    },
    /// A folder without result files.
    #[error("{} holds no result file (.txt)", .0.display())]
    NoResults(PathBuf),
}

/// Reads ground truth.
///
/// # Errors
/// When a line is wrong or a picture comes twice; the message names the line.
pub fn parse_truth(text: &str) -> Result<Vec<TruthImage>, WiderError> {
    let mut blocks = Blocks::new(text);
    let mut images = Vec::new();
    while let Some(block) = blocks.next_block()? {
        if block.count == 0 {
            blocks.skip_line_of_zeros();
        }
        let faces = blocks.rows(&block, "a face, `x y w h` and six attributes", parse_face)?;
        images.push(TruthImage { file: block.file, faces });
    }
    Ok(images)
}

fn parse_face(line: &str) -> Option<TruthFace> {
    let numbers = numbers(line)?;
    let area = rectangle_of(&numbers)?;
    let attribute = |value: f64| (0.0..=9.0).contains(&value).then_some(value as u8).filter(|&v| f64::from(v) == value);
    match numbers[4..] {
        [] => Some(TruthFace::new(area)),
        [blur, expression, illumination, invalid, occlusion, pose] => Some(TruthFace {
            area,
            blur: attribute(blur)?,
            expression: attribute(expression)?,
            illumination: attribute(illumination)?,
            invalid: match attribute(invalid)? {
                0 => false,
                1 => true,
                _ => return None,
            },
            occlusion: attribute(occlusion)?,
            pose: attribute(pose)?,
        }),
        _ => None,
    }
}

/// Writes ground truth as it is published, the line of zeros after a count of 0 included.
#[must_use]
pub fn write_truth(images: &[TruthImage]) -> String {
    let mut text = String::new();
    for image in images {
        text += &format!("{}\n{}\n", image.file, image.faces.len());
        if image.faces.is_empty() {
            text += "0 0 0 0 0 0 0 0 0 0\n";
        }
        for face in &image.faces {
            let invalid = u8::from(face.invalid);
            let TruthFace { area, blur, expression, illumination, occlusion, pose, .. } = face;
            let Rectangle { left, top, width, height } = area;
            text += &format!("{left} {top} {width} {height} ");
            text += &format!("{blur} {expression} {illumination} {invalid} {occlusion} {pose}\n");
        }
    }
    text
}

/// Reads a subset list.
///
/// # Errors
/// When a line is wrong, a face is listed twice or a picture comes twice; the message names the line or picture.
pub fn parse_subset(text: &str) -> Result<Vec<SubsetImage>, WiderError> {
    let mut blocks = Blocks::new(text);
    let mut images = Vec::new();
    while let Some(block) = blocks.next_block()? {
        let mut seen = HashSet::new();
        let expected = "the number of another face, counted from 1";
        let parse = |line: &str| line.parse().ok().filter(|&number: &usize| number > 0 && seen.insert(number));
        let counted = blocks.rows(&block, expected, parse)?;
        images.push(SubsetImage { file: block.file, counted });
    }
    Ok(images)
}

/// Writes a subset list as [`parse_subset`] reads it.
#[must_use]
pub fn write_subset(images: &[SubsetImage]) -> String {
    let mut text = String::new();
    for image in images {
        text += &format!("{}\n{}\n", image.file, image.counted.len());
        for number in &image.counted {
            text += &format!("{number}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests;
