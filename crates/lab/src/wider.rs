//! The text formats of WIDER FACE: ground truth, detection results, and the subset lists.
//!
//! All are sequences of blocks: a line with the picture's file, a line with a count, and that many lines.
//! - Ground truth (`wider_face_val_bbx_gt.txt`): `x y w h blur expression illumination invalid occlusion pose`, or
//!   only the first four. Of the attributes only `invalid` matters here. After a count of 0 the published files have one line of zeros, which
//!   is no face.
//! - Results: `x y w h score`, the faces of one picture or of many in a file.
//! - Subsets (easy, medium, hard): the number of a face in the ground truth, counted from 1, as the published
//!   `gt_list` does. The faces not listed are ignored in an evaluation, neither found nor missed.
//!
//! Coordinates are pixels, `x y` the left top corner.

mod lines;
mod results;

use std::collections::HashSet;

use thiserror::Error;

pub use results::{Detection, ResultImage, parse_results, write_results};

use crate::rectangle::Rectangle;
use lines::{Blocks, numbers, rectangle_of};

/// A face of the ground truth.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthFace {
    /// Where the face is, in pixels.
    pub area: Rectangle,
    /// Whether the annotators gave up on this face; such a face is not counted.
    pub invalid: bool,
}

/// The faces of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthImage {
    /// The picture, relative to the data set.
    pub file: String,
    /// Its faces in the order of the ground truth.
    pub faces: Vec<TruthFace>,
}

/// The faces of one picture that a subset counts.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let invalid = match numbers[4..] {
        [] => 0.0,
        [_blur, _expression, _illumination, invalid, _occlusion, _pose] => invalid,
        _ => return None,
    };
    [0.0, 1.0].contains(&invalid).then_some(TruthFace { area, invalid: invalid == 1.0 })
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

#[cfg(test)]
mod tests;
