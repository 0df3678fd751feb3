//! Blocks of lines: a file, a count, and as many rows.

use std::collections::HashSet;

use super::WiderError;
use crate::rectangle::Rectangle;

/// The head of a block.
pub(super) struct Block {
    pub(super) file: String,
    pub(super) count: usize,
}

/// The lines of a text that are not blank, with their numbers, read block by block.
pub(super) struct Blocks<'a> {
    lines: std::iter::Peekable<Box<dyn Iterator<Item = (usize, &'a str)> + 'a>>,
    files: HashSet<String>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines: Box<dyn Iterator<Item = _>> = Box::new(lines.filter(|(_, line)| !line.is_empty()));
        Self { lines: lines.peekable(), files: HashSet::new() }
    }

    /// The head of the next block, or None at the end of the text.
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, WiderError> {
        let Some((line, file)) = self.lines.next() else { return Ok(None) };
        let file = file.to_owned();
        if !self.files.insert(file.clone()) {
            return Err(WiderError::Twice { line, file });
        }
        let expected = "the number of faces";
        match self.lines.next() {
            None => Err(WiderError::Ends { expected, file }),
            Some((line, found)) => match found.parse() {
                Ok(count) => Ok(Some(Block { file, count })),
                Err(_) => Err(WiderError::Line { line, expected, found: found.to_owned() }),
            },
        }
    }

    /// The rows of a block, each read by `parse`, which gives None for a row that is not `expected`.
    pub(super) fn rows<T>(
        &mut self,
        block: &Block,
        expected: &'static str,
        mut parse: impl FnMut(&str) -> Option<T>,
    ) -> Result<Vec<T>, WiderError> {
        // The count is only a claim: no room is made for it.
        let mut rows = Vec::new();
        while rows.len() < block.count {
            let Some((line, found)) = self.lines.next() else {
                return Err(WiderError::Ends { expected, file: block.file.clone() });
            };
            rows.push(parse(found).ok_or_else(|| WiderError::Line { line, expected, found: found.to_owned() })?);
        }
        Ok(rows)
    }

    /// Passes over the line of zeros that the published ground truth has where a picture has no face.
    pub(super) fn skip_line_of_zeros(&mut self) {
        let is_zeros = |line: &str| numbers(line).is_some_and(|row| row.len() >= 4 && row.iter().all(|&v| v == 0.0));
        self.lines.next_if(|(_, line)| is_zeros(line));
    }
}

/// The numbers of a line, or None when something in it is no finite number.
pub(super) fn numbers(line: &str) -> Option<Vec<f64>> {
    line.split_whitespace().map(|field| field.parse().ok().filter(|value: &f64| value.is_finite())).collect()
}

/// The rectangle of the first four numbers, or None when there are fewer or a side is negative.
pub(super) fn rectangle_of(numbers: &[f64]) -> Option<Rectangle> {
    let &[left, top, width, height] = numbers.first_chunk()?;
    Some(Rectangle::new(left, top, width, height)).filter(Rectangle::is_valid)
}
