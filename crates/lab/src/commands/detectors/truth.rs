//! What the detectors found, held against the truth.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::agreement::DetectorResults;
use crate::detection::{Case, CurvePoint, DetectionError, Figures, cases, curve, evaluate_wider, figures, name_of};
use crate::wider::{Detection, ResultImage, SubsetImage, TruthImage, parse_subset, parse_truth};

/// The truth's name among detectors.
pub(super) const TRUTH: &str = "truth";

/// Most points of a curve that are written down.
const POINTS: usize = 1000;

/// What a detector does against the truth.
#[derive(Clone, Debug, Serialize)]
pub struct AgainstTruth {
    /// At its own least score.
    pub figures: Figures,
    /// Faces missed for each picture.
    pub missed_per_image: f64,
    /// False detections for each picture.
    pub false_per_image: f64,
    /// The share of its detections that are faces; None without detections.
    pub precision: Option<f64>,
    /// The share of the faces that it finds; None without faces.
    pub recall: Option<f64>,
    /// The average precision by the WIDER FACE protocol, over detections of any score; or why there is none.
    pub average_precision: Result<f64, String>,
    /// Precision over recall at every score of its own, thinned out to a thousand points; empty without faces.
    pub curve: Vec<CurvePoint>,
}

/// The faces that there are.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    images: Vec<TruthImage>,
    subset: Option<Vec<SubsetImage>>,
}

impl Truth {
    /// Reads the files.
    pub(super) fn read(truth: &Path, subset: Option<&Path>) -> anyhow::Result<Self> {
        let text = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
        let images = parse_truth(&text(truth)?).with_context(|| truth.display().to_string())?;
        anyhow::ensure!(!images.is_empty(), "{} names no picture", truth.display());
        let read = |path: &Path| parse_subset(&text(path)?).with_context(|| path.display().to_string());
        Ok(Self { images, subset: subset.map(read).transpose()? })
    }

    /// The pictures.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|image| image.file.as_str())
    }

    /// Forgets the pictures that no detector could look at.
    pub(super) fn keep(&mut self, seen: &[ResultImage]) {
        let seen: HashSet<&str> = seen.iter().map(|image| image.file.as_str()).collect();
        let (kept, gone) = std::mem::take(&mut self.images)
            .into_iter()
            .partition::<Vec<_>, _>(|image| seen.contains(image.file.as_str()));
        self.images = kept;
        let gone: HashSet<&str> = gone.iter().map(|image| name_of(&image.file)).collect();
        if let Some(subset) = &mut self.subset {
            subset.retain(|image| !gone.contains(name_of(&image.file)));
        }
    }

    /// How a detector fares that finds faces from a score of `least` on.
    pub(super) fn judge(&self, results: &[ResultImage], least: f64) -> Result<AgainstTruth, DetectionError> {
        let cases = cases(&self.images, results, self.subset.as_deref())?;
        let figures = figures(&cases, least);
        let per_image = |count: usize| count as f64 / figures.images.max(1) as f64;
        Ok(AgainstTruth {
            missed_per_image: per_image(figures.missed),
            false_per_image: per_image(figures.false_detections),
            precision: figures.precision(),
            recall: figures.recall(),
            average_precision: evaluate_wider(&cases)
                .map(|evaluation| evaluation.average_precision)
                .map_err(|error| error.to_string()),
            // Without a face there is none, which is said above.
            curve: curve(&cases).map(|points| thinned(&points)).unwrap_or_default(),
            figures,
        })
    }

    /// The faces that count, as if a detector had found them, and before it the detectors, without what they found of faces that do not
    /// count.
    pub(super) fn beside(&self, detectors: &[DetectorResults]) -> Result<Vec<DetectorResults>, DetectionError> {
        let mut all = Vec::new();
        for one in detectors {
            let cases = cases(&self.images, &one.images, self.subset.as_deref())?;
            if all.is_empty() {
                all.push(DetectorResults { detector: TRUTH.to_owned(), images: cases.iter().map(faces).collect() });
            }
            let images = cases.iter().map(|case| ResultImage { file: case.file.clone(), detections: counted(case) });
            all.push(DetectorResults { detector: one.detector.clone(), images: images.collect() });
        }
        Ok(all)
    }
}

fn faces(case: &Case) -> ResultImage {
    let faces = case.faces.iter().filter(|face| face.counts);
    let detections = faces.map(|face| Detection { area: face.area, score: 1.0 }).collect();
    ResultImage { file: case.file.clone(), detections }
}

/// The detections whose face is not one to be ignored.
fn counted(case: &Case) -> Vec<Detection> {
    let counts = |found: &&Detection| case.face_of(found).is_none_or(|face| case.faces[face].counts);
    case.detections.iter().filter(counts).copied().collect()
}

/// Points evenly spread over a curve, its ends included.
fn thinned(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let count = points.len().min(POINTS);
    (0..count).map(|nth| points[nth * (points.len() - 1) / (count - 1).max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::{TRUTH, Truth, thinned};
    use crate::agreement::{DetectorResults, agree};
    use crate::detection::CurvePoint;
    use crate::rectangle::Rectangle;
    use crate::scratch::Scratch;
    use crate::wider::{Detection, ResultImage};

    /// Two faces in the first picture, the second of them not to be counted; one in the second, none in the third.
    const FACES: &str = "e/a.jpg\n2\n0 0 10 10 0 0 0 0 0 0\n50 0 10 10 0 0 0 1 0 0\n\
                         e/b.jpg\n1\n20 20 10 10\ne/c.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n";

    fn truth(subset: Option<&str>) -> Truth {
        let scratch = Scratch::new();
        scratch.file("truth.txt", FACES.as_bytes()).file("subset.txt", subset.unwrap_or_default().as_bytes());
        let path = scratch.path().join("subset.txt");
        Truth::read(&scratch.path().join("truth.txt"), subset.map(|_| path.as_path())).unwrap()
    }

    fn found(file: &str, boxes: &[(f64, f64, f64)]) -> ResultImage {
        let one = |(left, top, score): &(f64, f64, f64)| Detection {
            area: Rectangle::new(*left, *top, 10.0, 10.0),
            score: *score,
        };
        ResultImage { file: file.to_owned(), detections: boxes.iter().map(one).collect() }
    }

    /// Finds the face of the first picture and the ignored one; errs in the second, below its threshold finds its face; errs in the third.
    fn results() -> Vec<ResultImage> {
        vec![
            found("e/a.jpg", &[(0.0, 0.0, 0.9), (50.0, 0.0, 0.8)]),
            found("e/b.jpg", &[(70.0, 70.0, 0.7), (20.0, 20.0, 0.4)]),
            found("e/c.jpg", &[(0.0, 0.0, 0.6)]),
        ]
    }

    #[test]
    fn figures_are_at_the_detectors_own_threshold_and_the_curve_goes_on() {
        let judged = truth(None).judge(&results(), 0.5).unwrap();
        let figures = &judged.figures;
        assert_eq!((figures.faces, figures.found, figures.missed), (2, 1, 1));
        assert_eq!((figures.detections, figures.false_detections, figures.ignored), (3, 2, 1));
        assert!((judged.missed_per_image - 1.0 / 3.0).abs() < 1e-12);
        assert!((judged.false_per_image - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((judged.precision, judged.recall), (Some(1.0 / 3.0), Some(0.5)));
        // In pictures with faces, by falling score: right, ignored, wrong, right. Precision 1 up to recall .5, then 2/3.
        assert!((judged.average_precision.clone().unwrap() - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        let last = judged.curve.last().unwrap();
        assert_eq!((last.threshold, last.recall, last.precision), (0.4, 1.0, 0.5), "the third picture's included");
    }

    #[test]
    fn without_a_face_there_is_no_average_precision_but_there_are_false_detections() {
        let mut truth = truth(None);
        truth.keep(&[found("e/c.jpg", &[])]);
        let judged = truth.judge(&[found("e/c.jpg", &[(0.0, 0.0, 0.6)])], 0.5).unwrap();
        assert_eq!((judged.false_per_image, judged.recall, judged.curve.len()), (1.0, None, 0));
        assert!(judged.average_precision.unwrap_err().contains("no face counts"));
    }

    #[test]
    fn pictures_that_were_not_looked_at_are_not_held_against_anybody() {
        let mut truth = truth(Some("e/a\n1\n1\ne/b\n1\n1\n"));
        let results = results();
        assert_eq!(truth.judge(&results[..1], 0.5).unwrap().figures.missed, 1);
        truth.keep(&results[..1]);
        let judged = truth.judge(&results[..1], 0.5).unwrap();
        assert_eq!((judged.figures.faces, judged.figures.missed, judged.figures.images), (1, 0, 1));
        let mut unknown = self::truth(Some("e/nowhere\n1\n1\n"));
        unknown.keep(&results);
        assert!(unknown.judge(&results, 0.5).unwrap_err().to_string().contains("e/nowhere"));
    }

    #[test]
    fn the_truth_stands_beside_the_detectors_without_what_does_not_count() {
        let detectors = [DetectorResults { detector: "one".to_owned(), images: results() }];
        let all = truth(None).beside(&detectors).unwrap();
        assert_eq!(all.iter().map(|one| one.detector.as_str()).collect::<Vec<_>>(), [TRUTH, "one"]);
        let pair = &agree(&all).unwrap().pairs[0];
        assert_eq!((pair.both, pair.only_first, pair.only_second), (2, 0, 2));
    }

    #[test]
    fn thinned_curves_keep_their_ends() {
        let point = |threshold: usize| CurvePoint { threshold: threshold as f64, precision: 1.0, recall: 0.5 };
        let many: Vec<CurvePoint> = (0..12_345).map(point).collect();
        let few = thinned(&many);
        assert_eq!((few.len(), few[0].threshold, few[999].threshold), (1000, 0.0, 12_344.0));
        assert_eq!(thinned(&many[..3]), many[..3]);
        assert_eq!(thinned(&many[..1]), many[..1]);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn a_file_without_pictures_is_refused() {
        let scratch = Scratch::new();
        scratch.file("truth.txt", b"\n");
        let error = Truth::read(&scratch.path().join("truth.txt"), None).unwrap_err().to_string();
        assert!(error.contains("names no picture"), "{error}");
        let error = Truth::read(&scratch.path().join("gone.txt"), None).unwrap_err();
        assert!(format!("{error:#}").contains("gone.txt"), "{error:#}");
    }
}
