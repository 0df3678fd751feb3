//! One method on the split: learned, asked, timed.

use std::collections::HashSet;

use serde::Serialize;

use super::gray::Crop;
use super::method::Named;
use super::problem::{Problem, Solved};
use super::samples::{Seen, Shown, Sight};
use super::split::Drawn;
use crate::classical::{Method, Sample};
use crate::dataset::Split;
use crate::metrics::MetricError;
use crate::metrics::classification::{
    Answer, Averages, ClassResult, Confusion, RejectPoint, ScoredProbe, reject_curve,
};
use crate::metrics::statistics::Proportion;

/// Everything that the command measures, with the split that repeats it.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What eigenfaces and LBPH saw of a picture; none without them.
    pub crop: Option<Crop>,
    /// The people, in the order of their numbers.
    pub people: Vec<String>,
    /// Which pictures were learned and which tested.
    pub split: Split,
    /// How it came about.
    pub drawn: Drawn,
    /// The methods, in the order asked for.
    pub methods: Vec<Measured>,
}

/// A method and what it showed.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// By the name it was asked for.
    pub name: String,
    /// With its parameters.
    pub method: Method,
    /// What it showed, or why it could not learn.
    #[serde(serialize_with = "crate::report::or_refused")]
    pub outcome: Result<Outcome, String>,
}

/// What a method showed.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Pictures that were learned.
    pub learned_from: usize,
    /// People who have training pictures, none of which could be used: nobody is ever named so.
    pub not_learned: Vec<String>,
    /// People who have no training picture in the split: neither.
    pub not_in_training: Vec<String>,
    /// Test pictures given their own name, of all.
    pub recognition: Proportion,
    /// Test pictures given another's name, of all.
    pub false_recognition: Proportion,
    /// Test pictures without a face, of all.
    pub missed: Proportion,
    /// Means over the people.
    pub averages: Averages,
    /// Each person.
    pub classes: Vec<ClassResult>,
    /// Who was taken for whom.
    pub confusion: Confusion,
    /// What rejecting the unsure would do, strictest first.
    pub reject_curve: Vec<RejectPoint>,
    /// Time.
    pub milliseconds: Milliseconds,
    /// Memory.
    pub memory: Memory,
    /// What learning found.
    pub learned: Vec<(String, f64)>,
    /// Every test picture.
    pub answers: Vec<Answered>,
}

/// Milliseconds on one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Milliseconds {
    /// From a picture's file to what the method sees of it, the middle of some: decoding and cutting, and for vectors detector
    /// and embedder.
    pub prepare: Option<f64>,
    /// To learn all training samples, once.
    pub fit: f64,
    /// To name a sample that is ready, the middle of all.
    pub recognise: f64,
}

/// Bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// The training samples.
    pub training: usize,
    /// How far the resident set of a process of the method's own rose above the training samples while it learned, the program's
    /// own pages that were needed for the first time included; none where no process could be had.
    pub fit: Option<u64>,
    /// What was learned and is needed to recognise, as the recogniser reports it.
    pub recogniser: usize,
}

/// A test picture and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    /// The file.
    pub file: String,
    /// Who it is.
    pub class: usize,
    /// Whom it was taken for, and how sure; none without a face.
    pub named: Option<(usize, f64)>,
}

impl Results {
    /// A line for each method that could not learn.
    pub(super) fn refusals(&self) -> Vec<String> {
        let refused =
            self.methods.iter().filter_map(|one| Some(format!("{}: {}", one.name, one.outcome.as_ref().err()?)));
        refused.collect()
    }

    /// Whom the methods have not learned, and why.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = |one: &Measured, people: &[String], no: &str, shows: &str| {
            let who = match people {
                [] => return None,
                [only] => only.clone(),
                [first, rest @ ..] => format!("{first} and {} others", rest.len()),
            };
            Some(format!("{}: {no} training picture of {who}{shows}; their pictures count as mistakes", one.name))
        };
        let mut notes = Vec::new();
        for one in &self.methods {
            if let Ok(outcome) = &one.outcome {
                notes.extend(told(one, &outcome.not_learned, "no", " shows a face"));
                notes.extend(told(one, &outcome.not_in_training, "the split has no", ""));
            }
        }
        notes
    }
}

/// Has the method learn and name what it sees.
pub(super) fn method(
    named: &Named,
    seen: &Sight,
    people: &[String],
    solve: impl FnOnce(&Problem<'_>) -> Result<Solved, String>,
) -> Measured {
    let outcome = seen.as_ref().map_err(Clone::clone).and_then(|seen| outcome(named, seen, people, solve));
    Measured { name: named.name.clone(), method: named.method.clone(), outcome }
}

fn outcome(
    named: &Named,
    seen: &Seen,
    people: &[String],
    solve: impl FnOnce(&Problem<'_>) -> Result<Solved, String>,
) -> Result<Outcome, String> {
    let (problem, learned) = problem(named, seen, people);
    let solved = solve(&problem)?;
    let answers = answers(seen, &learned, &solved);
    let judged: Vec<(usize, Answer)> = answers
        .iter()
        .map(|one| (one.class, one.named.map_or(Answer::Missed, |(class, _)| Answer::Class(class))))
        .collect();
    let scored: Vec<ScoredProbe> = answers.iter().map(|one| (one.class, one.named)).collect();
    let refused = |error: MetricError| error.to_string();
    let confusion = Confusion::new(people.to_vec(), &judged).map_err(refused)?;
    let trained: HashSet<usize> = seen.pictures.iter().take(seen.training).map(|picture| picture.class).collect();
    let unknown = people.iter().enumerate().filter(|(class, _)| learned.binary_search(class).is_err());
    let (not_learned, not_in_training): (Vec<_>, Vec<_>) = unknown.partition(|(class, _)| trained.contains(class));
    let names = |people: Vec<(usize, &String)>| people.into_iter().map(|(_, name)| name.clone()).collect();
    let training = problem.training.iter().map(|(sample, _)| size_of_val(sample.values())).sum();
    Ok(Outcome {
        learned_from: problem.training.len(),
        not_learned: names(not_learned),
        not_in_training: names(not_in_training),
        recognition: confusion.recognition(),
        false_recognition: confusion.false_recognition(),
        missed: confusion.missing(),
        averages: confusion.averages(),
        classes: confusion.per_class(),
        reject_curve: reject_curve(&scored).map_err(refused)?,
        milliseconds: Milliseconds { prepare: seen.prepare, fit: solved.fit, recognise: solved.recognise },
        memory: Memory { training, fit: solved.growth, recogniser: solved.recogniser },
        learned: solved.learned,
        confusion,
        answers,
    })
}

/// The training pictures that can be used, of the people who have one, with these people's places in the split's list.
fn problem<'a>(named: &Named, seen: &'a Seen, people: &[String]) -> (Problem<'a>, Vec<usize>) {
    let mut parts = seen.samples.iter().zip(seen.pictures.iter());
    let usable: Vec<(&Sample, usize)> =
        parts.by_ref().take(seen.training).filter_map(|(sample, one)| Some((sample.as_ref()?, one.class))).collect();
    let probes = parts.filter_map(|(sample, _)| sample.as_ref()).collect();
    let mut learned: Vec<usize> = usable.iter().map(|(_, class)| *class).collect();
    learned.sort_unstable();
    learned.dedup();
    let place = |class: usize| learned.partition_point(|other| *other < class);
    let training = usable.iter().map(|(sample, class)| (*sample, place(*class))).collect();
    let names = learned.iter().map(|class| people[*class].clone()).collect();
    (Problem { method: named.clone(), people: names, training, probes }, learned)
}

/// The answers with the test pictures that they are of.
fn answers(seen: &Seen, learned: &[usize], solved: &Solved) -> Vec<Answered> {
    let mut given = solved.answers.iter();
    let tested = seen.samples.iter().zip(seen.pictures.iter()).skip(seen.training);
    let answer = |(sample, picture): (&Option<Sample>, &Shown)| {
        let answer = sample.as_ref().and_then(|_| given.next());
        let named = answer.and_then(|(place, score)| Some((*learned.get(*place)?, *score)));
        Answered { file: picture.file.clone(), class: picture.class, named }
    };
    tested.map(answer).collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::method::Named;
    use super::super::samples::{Seen, Shown, Sight};
    use super::super::split::Drawn;
    use super::{Measured, Results, method};
    use crate::classical::Sample;
    use crate::dataset::Split;
    use crate::metrics::classification::confusions;

    fn seen(pictures: &[(usize, Option<[f32; 2]>)], training: usize) -> Sight {
        let shown = |(index, (class, _)): (usize, &(usize, _))| Shown { file: format!("{index}.jpg"), class: *class };
        let sample = |(_, values): &(usize, Option<[f32; 2]>)| values.map(|values| Sample::Features(values.to_vec()));
        Ok(Rc::new(Seen {
            pictures: Rc::new(pictures.iter().enumerate().map(shown).collect()),
            training,
            samples: pictures.iter().map(sample).collect(),
            prepare: Some(1.5),
        }))
    }

    fn facenet() -> Named {
        Named::new("facenet")
    }

    fn people(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("person {index}")).collect()
    }

    /// Person 0 lies on the first axis, person 2 on the second one, person 1 has no training picture with a face.
    fn measured() -> Measured {
        let pictures = [
            (0, Some([1.0, 0.0])),
            (1, None),
            (2, Some([0.0, 1.0])),
            (0, Some([0.8, 0.6])),
            (0, Some([0.6, 0.8])),
            (1, Some([0.28, 0.96])),
            (2, Some([0.0, 2.0])),
            (2, None),
        ];
        method(&facenet(), &seen(&pictures, 3), &people(3), |problem| problem.solve())
    }

    #[test]
    fn rates_by_hand() {
        let outcome = measured().outcome.unwrap();
        assert_eq!((outcome.learned_from, outcome.not_learned), (2, vec!["person 1".to_owned()]));
        // Right: the first of 0 and the one of 2. Wrong: the second of 0, and 1, whom nobody knows. Missed: one of 2.
        let events =
            [outcome.recognition, outcome.false_recognition, outcome.missed].map(|rate| (rate.events, rate.trials));
        assert_eq!(events, [(2, 5), (2, 5), (1, 5)]);
        assert_eq!(outcome.confusion.counts, [[1, 0, 1], [0, 0, 1], [0, 0, 1]]);
        assert_eq!(confusions(&outcome.confusion), [(0, 2, 1), (1, 2, 1)]);
        assert_eq!((outcome.classes[2].precision, outcome.classes[2].recall), (Some(1.0 / 3.0), Some(0.5)));
        // Strictest first: 2 at 1.0 is right, 1 at .96 is not, 0 at .8 twice: one right, one wrong.
        let curve: Vec<_> = outcome.reject_curve.iter().map(|p| (p.recognition, p.false_recognition)).collect();
        assert_eq!(curve, [(0.2, 0.0), (0.2, 0.2), (0.4, 0.4)]);
        assert_eq!((outcome.memory.training, outcome.milliseconds.prepare), (16, Some(1.5)));
        assert!(outcome.memory.recogniser >= 16);
        let named: Vec<_> = outcome.answers.iter().map(|one| one.named.map(|(class, _)| class)).collect();
        assert_eq!(named, [Some(0), Some(2), Some(2), Some(2), None]);
    }

    fn results(methods: Vec<Measured>) -> Results {
        let split = Split { seed: None, classes: people(3), train: Vec::new(), test: Vec::new() };
        Results { crop: None, people: people(3), split, drawn: Drawn::ByPicture, methods }
    }

    #[test]
    fn who_was_not_learned_is_told_with_the_reason() {
        let told = results(vec![measured()]).notes();
        assert_eq!(told, ["facenet: no training picture of person 1 shows a face; their pictures count as mistakes"]);
        // The split has nothing of person 1 to learn from.
        let pictures = [(0, Some([1.0, 0.0])), (2, Some([0.0, 1.0])), (1, Some([0.8, 0.6]))];
        let one = method(&facenet(), &seen(&pictures, 2), &people(3), |problem| problem.solve());
        let told = results(vec![one]).notes();
        assert_eq!(told, ["facenet: the split has no training picture of person 1; their pictures count as mistakes"]);
    }

    #[test]
    fn a_method_that_sees_nothing_says_why() {
        let one = method(&facenet(), &Err("no face at all".to_owned()), &people(2), |problem| problem.solve());
        assert_eq!(results(vec![one]).refusals(), ["facenet: no face at all"]);
    }

    #[test]
    fn a_method_that_cannot_learn_says_why() {
        let one = seen(&[(0, Some([1.0, 0.0])), (1, None), (0, Some([1.0, 0.0]))], 2);
        let measured = method(&facenet(), &one, &people(2), |problem| problem.solve());
        assert!(measured.outcome.unwrap_err().contains("only person 0"));
        let nan = seen(&[(0, Some([1.0, 0.0])), (1, Some([f32::NAN, 0.0])), (0, Some([1.0, 0.0]))], 2);
        let error = method(&facenet(), &nan, &people(2), |problem| problem.solve()).outcome.unwrap_err();
        assert!(error.contains("training sample 1 (person 1)") && error.contains("no finite number"), "{error}");
    }
}
