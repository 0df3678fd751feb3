//! Detection results: what a detector found, in WIDER FACE's submission format.

use std::{
    fs,
    path::{Path, PathBuf},
};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// Reads results from a file, or from a folder as submissions are: a `.txt` file for each picture, in a folder for
/// each event. There, a picture is named by the place of its file, because the line in the file often lacks the
/// folder.
///
/// # Errors
/// When a file cannot be read or is wrong, or a folder has no result file.
pub fn read_results(path: &Path) -> Result<Vec<ResultImage>, WiderError> {
    if !path.is_dir() {
        return read_file(path);
    }
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(WiderError::NoResults(path.to_path_buf()));
    }
    let mut images = Vec::new();
    for file in &files {
        let place = file.strip_prefix(path).unwrap_or(file).with_extension("");
        let folders: Vec<_> = place.iter().map(|folder| folder.to_string_lossy()).collect();
        let mut found = read_file(file)?;
        if let [only] = &mut found[..] {
            only.file = folders.join("/");
        }
        images.append(&mut found);
    }
    Ok(images)
}

fn read_file(path: &Path) -> Result<Vec<ResultImage>, WiderError> {
    let text = fs::read_to_string(path).map_err(|source| WiderError::Read { path: path.to_path_buf(), source })?;
    parse_results(&text).map_err(|source| WiderError::In { path: path.to_path_buf(), source: Box::new(source) })
}

/// The `.txt` files below a folder. Links to folders are not followed.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), WiderError> {
    let unreadable = |source| WiderError::Read { path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt")) {
            files.push(path);
        }
    }
    Ok(())
}
