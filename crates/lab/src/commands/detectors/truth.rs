//! What the detectors found, held against the truth.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::agreement::DetectorResults;
use crate::detection::{Case, CurvePoint, DetectionError, Figures, cases, evaluate_wider, figures, name_of};
use crate::wider::{Detection, ResultImage, SubsetImage, TruthImage, parse_subset, parse_truth};

/// The truth's name among detectors.
pub(super) const TRUTH: &str = "truth";

/// What the truth is written as.
const FACES: &str = "the faces of WIDER FACE's wider_face_val_bbx_gt.txt";

/// What a subset is written as.
const SUBSET: &str = "a line with the picture, one with a count, and as many with the number of a face, from 1 (of WIDER FACE's .mat files, write \
                      gt_list like that)";

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
    /// The average precision by the WIDER FACE protocol, over all that is found for a curve; or why there is none. Detections in pictures
    /// without faces are not in it, as that protocol has it; they are in everything above.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub average_precision: Result<f64, String>,
    /// Precision over recall by that protocol, where it changes, at thresholds of scores brought to 0 to 1; empty without faces.
    pub curve: Vec<CurvePoint>,
}

/// The faces that there are.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    images: Vec<TruthImage>,
    subset: Option<Vec<SubsetImage>>,
}

impl Truth {
    /// Reads the files, and checks that they fit together.
    pub(super) fn read(truth: &Path, subset: Option<&Path>) -> anyhow::Result<Self> {
        let images = parse_truth(&text(truth, FACES)?).with_context(|| truth.display().to_string())?;
        anyhow::ensure!(!images.is_empty(), "{} names no picture", truth.display());
        let nothing = |image: &TruthImage| ResultImage { file: image.file.clone(), detections: Vec::new() };
        let nothing: Vec<ResultImage> = images.iter().map(nothing).collect();
        cases(&images, &nothing, None).with_context(|| truth.display().to_string())?;
        let read = |path: &Path| -> anyhow::Result<_> {
            let subset = parse_subset(&text(path, SUBSET)?)?;
            cases(&images, &nothing, Some(&subset))?;
            Ok(subset)
        };
        let subset = subset.map(|path| read(path).with_context(|| path.display().to_string())).transpose()?;
        Ok(Self { images, subset })
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
        let wider = evaluate_wider(&cases);
        let per_image = |count: usize| count as f64 / figures.images.max(1) as f64;
        Ok(AgainstTruth {
            missed_per_image: per_image(figures.missed),
            false_per_image: per_image(figures.false_detections),
            precision: figures.precision(),
            recall: figures.recall(),
            average_precision: wider.as_ref().map(|wider| wider.average_precision).map_err(ToString::to_string),
            // Without a face there is none, which is said above.
            curve: wider.map(|wider| turns(wider.curve)).unwrap_or_default(),
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

/// A file that has to be a text of this form.
fn text(path: &Path, form: &str) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    String::from_utf8(bytes).map_err(|_| anyhow!("{} is no text: expected {form}", path.display()))
}

fn faces(case: &Case) -> ResultImage {
    let faces = case.faces.iter().filter(|face| face.counts);
    // Of equal overlaps, the first face of the file is taken: falling scores leave the faces in its order.
    let detections = faces.zip(1..).map(|(face, nth)| Detection { area: face.area, score: f64::from(-nth) }).collect();
    ResultImage { file: case.file.clone(), detections }
}

/// The detections whose face is not one to be ignored.
fn counted(case: &Case) -> Vec<Detection> {
    let counts = |found: &&Detection| case.face_of(found).is_none_or(|face| case.faces[face].counts);
    case.detections.iter().filter(counts).copied().collect()
}

/// The points of a curve that differ from the one before, from the first detection on.
fn turns(mut points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    points.dedup_by_key(|point| (point.precision, point.recall));
    // Where nothing is taken, precision is not 0 but unknown.
    if points.len() > 1 && (points[0].precision, points[0].recall) == (0.0, 0.0) {
        points.remove(0);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::{TRUTH, Truth, turns};
    use crate::agreement::{DetectorResults, agree};
    use crate::detection::CurvePoint;
    use crate::rectangle::Rectangle;
    use crate::scratch::Scratch;
    use crate::wider::{Detection, ResultImage};

    /// Two faces in the first picture, the second of them not to be counted; one in the second, none in the third.
    const FACES: &str = "e/a.jpg\n2\n0 0 10 10 0 0 0 0 0 0\n50 0 10 10 0 0 0 1 0 0\n\
                         e/b.jpg\n1\n20 20 10 10\ne/c.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n";

    fn read(truth: &[u8], subset: Option<&[u8]>) -> anyhow::Result<Truth> {
        let scratch = Scratch::new();
        scratch.file("truth.txt", truth).file("subset.txt", subset.unwrap_or_default());
        let path = scratch.path().join("subset.txt");
        Truth::read(&scratch.path().join("truth.txt"), subset.map(|_| path.as_path()))
    }

    fn truth(subset: Option<&str>) -> Truth {
        read(FACES.as_bytes(), subset.map(str::as_bytes)).unwrap()
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
    fn figures_are_at_the_detectors_own_threshold_and_the_curve_goes_on_below_it_as_the_protocol_does() {
        let judged = truth(None).judge(&results(), 0.5).unwrap();
        let figures = &judged.figures;
        assert_eq!((figures.faces, figures.found, figures.missed), (2, 1, 1));
        assert_eq!((figures.detections, figures.false_detections, figures.ignored), (3, 2, 1));
        assert!((judged.missed_per_image - 1.0 / 3.0).abs() < 1e-12);
        assert!((judged.false_per_image - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((judged.precision, judged.recall), (Some(1.0 / 3.0), Some(0.5)));
        // In pictures with faces, by falling score: right, ignored, wrong, right. Precision 1 up to recall .5, then 2/3.
        assert!((judged.average_precision.clone().unwrap() - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        let points: Vec<_> = judged.curve.iter().map(|point| (point.recall, point.precision)).collect();
        assert_eq!(points, [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0)], "without the third picture, as in the average");
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
    }

    #[test]
    fn what_does_not_fit_together_is_refused_when_it_is_read() {
        for (truth, subset, said) in [
            (FACES.as_bytes(), Some(&b"e/nowhere\n1\n1\n"[..]), "subset.txt: the subset list names e/nowhere"),
            (
                FACES.as_bytes(),
                Some(b"e/b\n1\n2\n"),
                "subset.txt: the subset list names face 2 of e/b.jpg, which has 1",
            ),
            (b"a.jpg\n0\na.png\n0\n", None, "truth.txt: a.png comes twice"),
            (
                FACES.as_bytes(),
                Some(b"MATLAB\xFF"),
                "subset.txt is no text: expected a line with the picture, one with a count",
            ),
            (b"\xFF\xD8", None, "truth.txt is no text: expected the faces of"),
        ] {
            let error = format!("{:#}", read(truth, subset).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn pairs_and_groups_say_what_the_figures_say() {
        // By areas without the pixel more, the first would overlap its face by less than a half. The second is nearer to an ignored face, the
        // last is of a face that is found already.
        let text = "a.jpg\n4\n0 0 4 4\n20 0 9 9 0 0 0 1 0 0\n23 0 9 9\n60 0 9 9\n";
        let face = |left: f64, side: f64, score| Detection { area: Rectangle::new(left, 0.0, side, side), score };
        let detections = vec![face(1.5, 4.0, 0.9), face(21.0, 9.0, 0.8), face(60.0, 9.0, 0.7), face(61.0, 9.0, 0.6)];
        let images = vec![ResultImage { file: "a.jpg".to_owned(), detections }];
        let truth = read(text.as_bytes(), None).unwrap();
        let figures = truth.judge(&images, 0.0).unwrap().figures;
        assert_eq!((figures.found, figures.missed, figures.false_detections, figures.ignored), (2, 1, 1, 1));
        let agreement =
            agree(&truth.beside(&[DetectorResults { detector: "one".to_owned(), images }]).unwrap()).unwrap();
        let pair = &agreement.pairs[0];
        assert_eq!((pair.both, pair.only_first, pair.only_second), (2, 1, 1));
        let by: Vec<_> = agreement.disagreements.iter().map(|one| one.found_by.join(" ")).collect();
        assert_eq!((agreement.agreed, by), (2, vec!["truth".to_owned(), "one".to_owned()]));
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
    fn a_curve_has_its_turns_and_begins_with_a_detection() {
        let point = |threshold, recall, precision| CurvePoint { threshold, precision, recall };
        let points = [(0.9, 0.0, 0.0), (0.8, 0.0, 0.0), (0.7, 0.5, 1.0), (0.6, 0.5, 1.0), (0.5, 0.5, 0.5)];
        let kept = turns(points.map(|(threshold, recall, precision)| point(threshold, recall, precision)).to_vec());
        assert_eq!(kept, [point(0.7, 0.5, 1.0), point(0.5, 0.5, 0.5)]);
        assert_eq!(turns(vec![point(0.9, 0.0, 0.0); 3]).len(), 1, "nothing is ever found");
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
