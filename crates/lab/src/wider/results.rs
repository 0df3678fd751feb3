//! Detection results: what a detector found, in WIDER FACE's submission format.

use serde::{Deserialize, Serialize};

use super::{
    WiderError,
    lines::{Blocks, numbers, rectangle_of},
};
use crate::rectangle::Rectangle;

/// A face that a detector found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where, in pixels of the picture.
    pub area: Rectangle,
    /// How sure the detector is, on its own scale; more is surer.
    pub score: f64,
}

/// What a detector found in one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultImage {
    /// The picture, relative to the data set; the extension may be missing, as in submissions.
    pub file: String,
    /// The faces found, in any order.
    pub detections: Vec<Detection>,
}

/// Reads results: one block, as in a submission's file, or many.
///
/// # Errors
/// When a line is wrong or a picture comes twice; the message names the line.
pub fn parse_results(text: &str) -> Result<Vec<ResultImage>, WiderError> {
    let mut blocks = Blocks::new(text);
    let mut images = Vec::new();
    while let Some(block) = blocks.next_block()? {
        let detections = blocks.rows(&block, "a detection, `x y w h score`", parse_detection)?;
        images.push(ResultImage { file: block.file, detections });
    }
    Ok(images)
}

fn parse_detection(line: &str) -> Option<Detection> {
    let numbers = numbers(line)?;
    let &[.., score] = numbers.as_slice() else { return None };
    (numbers.len() == 5).then_some(Detection { area: rectangle_of(&numbers)?, score })
}

/// Writes results as [`parse_results`] reads them.
#[must_use]
pub fn write_results(images: &[ResultImage]) -> String {
    let mut text = String::new();
    for image in images {
        text += &format!("{}\n{}\n", image.file, image.detections.len());
        for Detection { area: Rectangle { left, top, width, height }, score } in &image.detections {
            text += &format!("{left} {top} {width} {height} {score}\n");
        }
    }
    text
}
