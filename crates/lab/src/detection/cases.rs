//! Truth, results and a subset list brought together picture by picture.

use std::collections::HashMap;

use super::DetectionError;
use crate::{
    dataset::EXTENSIONS,
    rectangle::Rectangle,
    wider::{Detection, ResultImage, SubsetImage, TruthImage},
};

/// A face of the truth and whether it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseFace {
    /// Where the face is, in pixels.
    pub area: Rectangle,
    /// Whether it is to be found; otherwise it is ignored, found or not.
    pub counts: bool,
}

/// A picture with its truth and what a detector found in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The picture.
    pub file: String,
    /// The faces in it.
    pub faces: Vec<CaseFace>,
    /// The detections, in any order, scores on the detector's own scale.
    pub detections: Vec<Detection>,
}

impl Case {
    /// How many faces count.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.faces.iter().filter(|face| face.counts).count()
    }

    /// The face that a detection is of, as an index.
    pub(crate) fn face_of(&self, detection: &Detection) -> Option<usize> {
        detection.area.same_face(self.faces.iter().map(|face| &face.area))
    }
}

/// Brings truth and results together. Without a subset list, the faces count that are not marked invalid; with one,
/// those it lists, and none of a picture that it does not name. Pictures are matched by name without extension. A
/// picture without a result is one where nothing was found.
///
/// # Errors
/// When results or subset name pictures or faces that the truth does not have, when a picture comes twice, or when
/// there is no result for any picture.
pub fn cases(
    truth: &[TruthImage],
    results: &[ResultImage],
    subset: Option<&[SubsetImage]>,
) -> Result<Vec<Case>, DetectionError> {
    let known = by_name(truth, |image| &image.file)?;
    let mut found = by_name(results, |image| &image.file)?;
    if let Some(image) = results.iter().find(|image| !known.contains_key(name_of(&image.file))) {
        return Err(DetectionError::UnknownResult(image.file.clone()));
    }
    if found.is_empty() && !truth.is_empty() {
        return Err(DetectionError::NothingInCommon);
    }
    let listed = subset.map(|images| by_name(images, |image| &image.file)).transpose()?;
    if let Some(image) = subset.unwrap_or_default().iter().find(|image| !known.contains_key(name_of(&image.file))) {
        return Err(DetectionError::UnknownSubset(image.file.clone()));
    }
    let case = |image: &TruthImage| {
        let name = name_of(&image.file);
        let counts = match &listed {
            None => image.faces.iter().map(|face| !face.invalid).collect(),
            Some(listed) => counted_faces(image, listed.get(name).map_or(&[], |subset| &subset.counted))?,
        };
        let faces = image.faces.iter().zip(counts).map(|(face, counts)| CaseFace { area: face.area, counts });
        let detections = found.remove(name).map(|result| result.detections.clone()).unwrap_or_default();
        Ok(Case { file: image.file.clone(), faces: faces.collect(), detections })
    };
    truth.iter().map(case).collect()
}

/// Which faces of a picture a subset counts, given their numbers from 1.
fn counted_faces(image: &TruthImage, numbers: &[usize]) -> Result<Vec<bool>, DetectionError> {
    let mut counts = vec![false; image.faces.len()];
    for &number in numbers {
        let face = number.checked_sub(1).and_then(|index| counts.get_mut(index));
        let unknown = || DetectionError::UnknownFace { file: image.file.clone(), number, faces: image.faces.len() };
        *face.ok_or_else(unknown)? = true;
    }
    Ok(counts)
}

fn by_name<T>(images: &[T], file: impl Fn(&T) -> &String) -> Result<HashMap<&str, &T>, DetectionError> {
    let mut names = HashMap::new();
    for image in images {
        let full = file(image);
        if names.insert(name_of(full), image).is_some() {
            return Err(DetectionError::Twice(full.clone()));
        }
    }
    Ok(names)
}

/// The file without the extension of a picture.
pub(crate) fn name_of(file: &str) -> &str {
    let start_of = |extension: &&str| {
        let start = file.len().checked_sub(extension.len())?;
        file.get(start..).filter(|end| end.eq_ignore_ascii_case(extension)).map(|_| start)
    };
    EXTENSIONS.iter().find_map(start_of).map_or(file, |start| &file[..start])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wider::{parse_results, parse_subset, parse_truth};

    const TRUTH: &str = "e/a.jpg\n2\n0 0 10 10 0 0 0 0 0 0\n20 0 10 10 0 0 0 1 0 0\ne/b.jpg\n1\n5 5 5 5\n";

    #[test]
    fn invalid_faces_do_not_count_without_a_subset() {
        let results = parse_results("e/a\n1\n0 0 10 10 .5\n").unwrap();
        let cases = cases(&parse_truth(TRUTH).unwrap(), &results, None).unwrap();
        let counts: Vec<Vec<bool>> =
            cases.iter().map(|case| case.faces.iter().map(|face| face.counts).collect()).collect();
        assert_eq!(counts, [vec![true, false], vec![true]]);
        assert_eq!(cases.iter().map(|case| case.detections.len()).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_subset_counts_the_faces_it_lists() {
        let results = parse_results("e/a.jpg\n0\n").unwrap();
        let subset = parse_subset("e/a.jpg\n1\n2\n").unwrap();
        let cases = cases(&parse_truth(TRUTH).unwrap(), &results, Some(&subset)).unwrap();
        assert_eq!(cases.iter().map(Case::counted).collect::<Vec<_>>(), [1, 0]);
        assert!(cases[0].faces[1].counts);
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let truth = parse_truth(TRUTH).unwrap();
        let error = |results: &str, subset: &str| {
            let (results, subset) = (parse_results(results).unwrap(), parse_subset(subset).unwrap());
            cases(&truth, &results, Some(&subset)).unwrap_err().to_string()
        };
        assert_eq!(error("x.jpg\n0\n", ""), "the results name x.jpg, which is not in the truth");
        assert_eq!(error("e/a\n0\n", "x.jpg\n0\n"), "the subset list names x.jpg, which is not in the truth");
        assert_eq!(error("e/a\n0\n", "e/a\n1\n3\n"), "the subset list names face 3 of e/a.jpg, which has 2");
        assert_eq!(error("e/a\n0\ne/a.jpg\n0\n", ""), "e/a.jpg comes twice");
        assert_eq!(error("", ""), "the results name no picture of the truth");
    }

    #[test]
    fn names_lose_picture_extensions_only() {
        assert_eq!(name_of("e/a.b.JPEG"), "e/a.b");
        assert_eq!(name_of("e/a.5"), "e/a.5");
        assert_eq!(name_of("é.jpg"), "é");
        assert_eq!(name_of("jpg"), "jpg");
    }
}
