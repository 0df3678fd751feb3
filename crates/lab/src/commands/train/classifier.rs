//! A classifier of the people of a data set, behind the frozen embedder: near what InceptionResnetV1 is with `classify`.

use serde::Serialize;
use serde_json::json;

use super::arguments::in_options;
use super::data::{self, Pictures};
use super::deploy::{self, Written};
use super::{Arguments, People, Results, Workplace, finish, interrupted, learn};
use crate::faces::cosine;
use crate::metrics::statistics::Proportion;
use crate::report::Run;
use crate::train::{Classifier, ClassifierTrainer, FeatureSet, Outcome, TrainError, scaled};
use crate::whole;

/// The classifier and the nearest mean of the untouched vectors, on the same held-out pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Recognition {
    /// Named rightly by the classifier. Its epoch was chosen by these pictures: a little flattering.
    pub classifier: Proportion,
    /// Named rightly by the nearest of the people's mean vectors, which nothing was chosen for.
    pub nearest_mean: Proportion,
}

/// From the vectors to the report.
pub(super) fn run(arguments: &Arguments, work: &Workplace, pictures: &Pictures, run: Run) -> anyhow::Result<()> {
    let set = FeatureSet::new(pictures.samples())?;
    let alone = set.with_images(2).1;
    data::note_alone(&alone, "they are learned, and nothing shows how well");
    let config = arguments.classifier_config();
    let trainer = if arguments.resume {
        ClassifierTrainer::resume(&set, config, &work.checkpoint)
    } else {
        ClassifierTrainer::new(&set, config)
    };
    let mut trainer = trainer.map_err(in_options)?;
    let outcome = learn::learn(&mut trainer.trainer, work, &learn::CLASSES)?;
    let (training, judges) = (trainer.trainer.training(), trainer.trainer.judges());
    let people = People {
        training: (training.names().len(), training.len()),
        judges: (judges.people().iter().filter(|rows| !rows.is_empty()).count(), judges.len()),
        test: (0, 0),
        tested: Vec::new(),
        alone,
    };
    let mut results = Results::new(true, people, (outcome, &trainer.trainer));
    if outcome == Outcome::Interrupted {
        return interrupted(arguments, run, &results, &work.checkpoint);
    }
    let classifier = Classifier { classify: arguments.classifier.classify, ..trainer.classifier() };
    let recognition = recognition(&classifier, (training, judges))?;
    results.verdict = verdict(&recognition, &classifier);
    results.recognition = Some(recognition);
    results.model = Some(write(work, &classifier, pictures)?);
    finish(arguments, run, &results)
}

fn recognition(
    classifier: &Classifier,
    (training, judges): (&FeatureSet, &FeatureSet),
) -> Result<Recognition, TrainError> {
    let right = |found: &[usize]| {
        let right = found.iter().zip(judges.labels()).filter(|(found, label)| **found == **label as usize).count();
        Proportion::of(right, found.len())
    };
    let means = means(training);
    let nearest: Vec<usize> = judges.rows().chunks_exact(judges.dimension()).map(|row| nearest(&means, row)).collect();
    Ok(Recognition { classifier: right(&classifier.predict(judges.rows())?), nearest_mean: right(&nearest) })
}

/// The mean direction of everybody's vectors.
fn means(set: &FeatureSet) -> Vec<Vec<f32>> {
    let mean = |rows: &Vec<usize>| {
        let mut sum = vec![0.0_f32; set.dimension()];
        for row in rows {
            sum.iter_mut().zip(set.row(*row)).for_each(|(sum, value)| *sum += value);
        }
        scaled(&sum)
    };
    set.people().iter().map(mean).collect()
}

/// The first of the means that are nearest.
fn nearest(means: &[Vec<f32>], row: &[f32]) -> usize {
    let cosines: Vec<f64> = means.iter().map(|mean| cosine(mean, row)).collect();
    (0..cosines.len()).min_by(|a, b| cosines[*b].total_cmp(&cosines[*a])).unwrap_or_default()
}

fn verdict(found: &Recognition, classifier: &Classifier) -> Vec<String> {
    let (learned, mean) = (found.classifier.rate, found.nearest_mean.rate);
    let against = if learned > mean {
        "the classifier is ahead, on pictures that chose its epoch"
    } else if learned < mean {
        "the classifier is behind: the untouched vectors with a mean a person do better and take no training"
    } else {
        "they do equally well, and the mean takes no training"
    };
    let mut sentences = vec![format!(
        "Of {} held-out pictures the classifier names {}, and the nearest mean of the untouched vectors {}: {against}.",
        found.classifier.trials, found.classifier.events, found.nearest_mean.events
    )];
    if !classifier.classify {
        sentences.push(
            "With --classify false the model gives the embedder's own vector: the classifier is not in it.".to_owned(),
        );
    }
    sentences
}

/// The model with the names of its logits, if it gives any. No manifest: an embedder's vectors are compared, these are not.
fn write(work: &Workplace, classifier: &Classifier, pictures: &Pictures) -> anyhow::Result<Written> {
    let head = classifier.head();
    let (combined, written) = deploy::model(work, &head)?;
    let written = deploy::checked_unlisted(work, (&combined, written), (&head, pictures))?;
    if !classifier.classify {
        return Ok(written);
    }
    let names = work.place.beside("classes.json");
    let embedder = work.models.store.identity(&work.models.embedder)?;
    let text = json!({
        "embedder": embedder.as_str(),
        "num_classes": classifier.num_classes(),
        "classes": classifier.classes,
    });
    whole::write(&names, |out| writeln!(out, "{text:#}"))?;
    Ok(Written { classes: Some(names), ..written })
}

#[cfg(test)]
mod tests {
    use super::{means, nearest, recognition, verdict};
    use crate::train::{Classifier, ClassifierConfig, ClassifierTrainer, FeatureSet, Sample};

    fn set() -> FeatureSet {
        let face = |person: &str, image: usize, vector: [f32; 2]| Sample {
            person: person.to_owned(),
            image: format!("{person}{image}"),
            vector: vector.to_vec(),
        };
        FeatureSet::new(vec![
            face("a", 1, [1.0, 0.0]),
            face("a", 2, [0.8, 0.6]),
            face("b", 1, [0.0, 1.0]),
            face("b", 2, [-0.6, 0.8]),
        ])
        .unwrap()
    }

    #[test]
    fn the_nearest_mean_is_that_of_the_vectors() {
        let means = means(&set());
        // (1.8, .6) and (-.6, 1.8), scaled to length 1.
        let wanted = [[0.948_683_3, 0.316_227_8], [-0.316_227_8, 0.948_683_3]];
        for (mean, wanted) in means.iter().zip(wanted) {
            assert!(mean.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{means:?}");
        }
        assert_eq!(
            [nearest(&means, &[1.0, 0.1]), nearest(&means, &[0.0, 1.0]), nearest(&means, &[1.0, 2.5])],
            [0, 1, 1]
        );
    }

    #[test]
    fn both_are_counted_on_the_same_pictures() {
        let config = ClassifierConfig { held_out: 0.5, epochs: 1, ..ClassifierConfig::default() };
        let trainer = ClassifierTrainer::new(&set(), config.clone()).unwrap();
        let (training, judges) = set().split_images(config.held_out, config.seed);
        let found = recognition(&trainer.classifier(), (&training, &judges)).unwrap();
        assert_eq!((found.classifier.trials, found.nearest_mean.trials), (2, 2));
        assert_eq!(found.nearest_mean.events, 2);
        let off = Classifier { classify: false, ..trainer.classifier() };
        assert_eq!(verdict(&found, &off).len(), 2);
        assert!(verdict(&found, &off)[0].contains("Of 2 held-out pictures"));
    }
}
