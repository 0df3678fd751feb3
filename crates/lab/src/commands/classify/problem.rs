//! What a method is to learn and to name, as something that can be handed to another process, and the answer.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::memory;
use super::method::Named;
use crate::classical::{ClassicalError, GrayImage, Sample, Shape, TrainingSet};
use crate::metrics::statistics::median;

/// Learn these people and name these samples.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem<'a> {
    pub(super) method: Named,
    pub(super) people: Vec<String>,
    /// With the place of the person in `people`.
    pub(super) training: Vec<(&'a Sample, usize)>,
    pub(super) probes: Vec<&'a Sample>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Solved {
    /// For each probe the person's place in the problem's list, and how sure.
    pub(super) answers: Vec<(usize, f64)>,
    /// Milliseconds to learn.
    pub(super) fit: f64,
    /// Milliseconds to name a probe, the middle of all.
    pub(super) recognise: f64,
    /// The bytes that the recogniser reports.
    pub(super) recogniser: usize,
    /// How far the resident set rose while learning; only in a process of its own does that say something.
    pub(super) growth: Option<u64>,
    /// What learning found.
    pub(super) learned: Vec<(String, f64)>,
}

/// The first line of a problem's file; the values of the samples follow as single precision numbers, low byte first.
#[derive(Serialize, Deserialize)]
struct Head {
    method: String,
    people: Vec<String>,
    /// Width and height of pictures; features have one row.
    shape: (usize, usize),
    pictures: bool,
    classes: Vec<usize>,
    probes: usize,
}

impl Problem<'_> {
    /// Learns and names, here and now. The reason why not comes with the way out that the command offers.
    pub(super) fn solve(&self) -> Result<Solved, String> {
        self.learn_and_name().map_err(|error| match error {
            ClassicalError::OneSample { .. } => format!("{error} (--least 3 leaves such people out)"),
            error => error.to_string(),
        })
    }

    fn learn_and_name(&self) -> Result<Solved, ClassicalError> {
        let set = TrainingSet::new(&self.people, self.training.iter().copied())?;
        let start = Instant::now();
        let (fitted, growth) = memory::growth(|| self.method.method.fit(&set));
        let fit = milliseconds(start);
        let recogniser = fitted?;
        let (mut answers, mut times) = (Vec::new(), Vec::new());
        for probe in &self.probes {
            let start = Instant::now();
            let answer = recogniser.predict(probe)?;
            times.push(milliseconds(start));
            answers.push((answer.class, answer.score()));
        }
        let learned = recogniser.learned().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let recognise = median(times).unwrap_or_default();
        Ok(Solved { answers, fit, recognise, recogniser: recogniser.bytes(), growth, learned })
    }

    /// The samples, all of one shape: of the first one.
    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.training.iter().map(|(sample, _)| *sample).chain(self.probes.iter().copied())
    }

    /// Writes it down.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let shape = self.samples().next().map_or(Shape::Features(0), Sample::shape);
        let (sides, pictures) = match shape {
            Shape::Features(count) => ((count, 1), false),
            Shape::Gray { width, height } => ((width, height), true),
        };
        if self.samples().any(|sample| sample.shape() != shape) {
            return Err(io::Error::other("samples of different shapes"));
        }
        let head = Head {
            method: self.method.name.clone(),
            people: self.people.clone(),
            shape: sides,
            pictures,
            classes: self.training.iter().map(|(_, class)| *class).collect(),
            probes: self.probes.len(),
        };
        let mut out = BufWriter::new(File::create(file)?);
        serde_json::to_writer(&mut out, &head)?;
        out.write_all(b"\n")?;
        for value in self.samples().flat_map(Sample::values) {
            out.write_all(&value.to_le_bytes())?;
        }
        out.flush()
    }
}

/// A problem that was read.
pub(super) struct Stored {
    head: Head,
    samples: Vec<Sample>,
}

impl Stored {
    /// Reads a problem that [`Problem::write`] wrote.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = || file.display().to_string();
        let mut input = BufReader::new(File::open(file).with_context(shown)?);
        let mut line = String::new();
        input.read_line(&mut line).with_context(shown)?;
        let head: Head = serde_json::from_str(&line).with_context(shown)?;
        let mut samples = Vec::new();
        let mut bytes = vec![0; 4 * head.shape.0 * head.shape.1];
        for _ in 0..head.classes.len() + head.probes {
            input.read_exact(&mut bytes).with_context(shown)?;
            let values = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            let values = values.collect();
            samples.push(match head.pictures {
                true => Sample::Gray(GrayImage::new(head.shape.0, head.shape.1, values)?),
                false => Sample::Features(values),
            });
        }
        Ok(Self { head, samples })
    }

    /// The problem.
    pub(super) fn problem(&self) -> Problem<'_> {
        let (training, probes) = self.samples.split_at(self.head.classes.len());
        Problem {
            method: Named::new(&self.head.method),
            people: self.head.people.clone(),
            training: training.iter().zip(self.head.classes.iter().copied()).collect(),
            probes: probes.iter().collect(),
        }
    }
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::{Problem, Stored};
    use crate::classical::{GrayImage, Sample};
    use crate::commands::classify::method::Named;

    #[test]
    fn a_problem_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problem");
        let features = [[1.0, 0.0, 0.1], [0.0, 1.0, -0.0], [0.9, 0.2, f32::MIN_POSITIVE], [0.1, 0.7, 1e-30]];
        let features = features.map(|values| Sample::Features(values.to_vec()));
        let gray = |value: f32| Sample::Gray(GrayImage::new(2, 3, vec![value, 0.5, 0.25, 1.0, 0.0, value]).unwrap());
        let pictures = [gray(0.1), gray(0.9), gray(0.2), gray(0.8)];
        for (name, samples) in [("facenet", &features), ("eigenfaces", &pictures)] {
            let [a, b, c, d] = samples;
            let problem = Problem {
                method: Named::new(name),
                people: vec!["Ann \"\n".to_owned(), "Bob".to_owned()],
                training: vec![(a, 0), (b, 1)],
                probes: vec![c, d],
            };
            problem.write(&file).unwrap();
            let stored = Stored::read(&file).unwrap();
            assert_eq!(stored.problem(), problem);
            let solved = stored.problem().solve().unwrap();
            assert_eq!(solved.answers.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [0, 1], "{name}");
            assert!(solved.fit > 0.0 && solved.recogniser > 0 && !solved.learned.is_empty());
        }
        let cut = std::fs::read(&file).unwrap();
        std::fs::write(&file, &cut[..cut.len() - 1]).unwrap();
        assert!(Stored::read(&file).is_err());
        let mixed = Problem {
            method: Named::new("facenet"),
            people: Vec::new(),
            training: vec![(&features[0], 0), (&pictures[0], 0)],
            probes: Vec::new(),
        };
        assert!(mixed.write(&file).is_err());
    }
}
