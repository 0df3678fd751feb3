//! Training from end to end on small sets.

use std::fs;

use super::*;
use crate::train::embedding::Start;
use crate::train::features::Sample;
use crate::train::random::{Purpose, gaussian, stream};
use crate::train::testing::people;
use crate::train::triplet::Selection;

fn small() -> EmbeddingConfig {
    EmbeddingConfig {
        dimension: 6,
        hidden: Some(10),
        dropout: 0.3,
        start: Start::Random,
        selection: Selection::Hard,
        people: 5,
        images: 3,
        learning_rate: 3e-3,
        epochs: 6,
        false_accept_rate: 0.1,
        ..EmbeddingConfig::default()
    }
}

/// People who differ in few numbers of many: the others are loud and say nothing, so that there is something to learn.
fn hidden_people(count: usize) -> FeatureSet {
    let mut random = stream(3, Purpose::Projection, 7);
    let mut samples = Vec::new();
    for person in 0..count {
        let centre: Vec<f64> = (0..4).map(|_| gaussian(&mut random)).collect();
        for image in 0..4 {
            let mut number = |place: usize| match centre.get(place) {
                Some(centre) => centre + 0.2 * gaussian(&mut random),
                None => gaussian(&mut random),
            };
            let vector = (0..12).map(|place| number(place) as f32).collect();
            samples.push(Sample { person: format!("{person:03}"), image: format!("{person}-{image}"), vector });
        }
    }
    FeatureSet::new(samples).unwrap()
}

fn finish(trainer: &mut Trainer) -> Outcome {
    trainer.run(|_| ControlFlow::Continue(())).unwrap()
}

fn refused(set: &FeatureSet, config: EmbeddingConfig) -> String {
    Trainer::embedding(set, config).unwrap_err().to_string()
}

#[test]
fn a_resumed_training_ends_as_an_uninterrupted_one() {
    let set = people(24, 3, 8, 5);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let mut whole = Trainer::embedding(&set, small()).unwrap();
    assert_eq!(finish(&mut whole), Outcome::Completed);
    // In the middle of an epoch, at the end of one, and before the first step: 19 people in batches of 5 are 4 steps.
    for at in [7, 8, 0] {
        let mut first = Trainer::embedding(&set, small()).unwrap();
        for _ in 0..at {
            first.step().unwrap();
        }
        first.save(&file).unwrap();
        drop(first);
        let mut second = Trainer::resume_embedding(&set, small(), &file).unwrap();
        assert_eq!(finish(&mut second), Outcome::Completed);
        assert_eq!(second.state, whole.state);
        assert_eq!(second.head(), whole.head());
        assert_eq!(second.network.head().unwrap(), whole.network.head().unwrap());
    }
}

#[test]
fn the_callback_interrupts_between_steps() {
    let set = people(24, 3, 8, 5);
    let mut trainer = Trainer::embedding(&set, small()).unwrap();
    let mut seen = Vec::new();
    let outcome = trainer.run(|report| {
        seen.push(report.clone());
        if report.step == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((outcome.unwrap(), seen.len()), (Outcome::Interrupted, 5));
    assert!(seen.iter().all(|report| report.steps == 24 && report.candidates == 15 && report.active <= 15));
    let ends: Vec<bool> = seen.iter().map(|report| report.epoch.is_some()).collect();
    assert_eq!(ends, [false, false, false, true, false]);
    let epoch = seen[3].epoch.clone().unwrap();
    let mean = seen[..4].iter().map(|report| report.loss.unwrap()).sum::<f64>() / 4.0;
    let active = seen[..4].iter().map(|report| report.active).sum::<usize>() as f64 / 60.0;
    assert!((epoch.loss.unwrap() - mean).abs() < 1e-12 && (epoch.active.unwrap() - active).abs() < 1e-12);
    let mut whole = Trainer::embedding(&set, small()).unwrap();
    finish(&mut whole);
    finish(&mut trainer);
    assert_eq!(trainer.head(), whole.head());
}

#[test]
fn the_seed_decides_everything() {
    let set = people(24, 3, 8, 5);
    let head = |seed| {
        let mut trainer = Trainer::embedding(&set, EmbeddingConfig { seed, ..small() }).unwrap();
        finish(&mut trainer);
        trainer.head().clone()
    };
    assert_eq!(head(1), head(1));
    assert_ne!(head(1), head(2));
}

#[test]
fn every_selection_learns_what_tells_people_apart() {
    let set = hidden_people(60);
    for selection in [Selection::Hard, Selection::SemiHard, Selection::All] {
        let config =
            EmbeddingConfig { hidden: None, dropout: 0.0, selection, epochs: 60, learning_rate: 1e-2, ..small() };
        let mut trainer = Trainer::embedding(&set, config).unwrap();
        finish(&mut trainer);
        let (start, best) = (&trainer.history()[0], trainer.best());
        assert!(best.held_out_loss < 0.5 * start.held_out_loss, "{selection:?} {start:?} {best:?}");
        assert!(best.held_out_rate > start.held_out_rate, "{selection:?} {start:?} {best:?}");
    }
}

#[test]
fn it_stops_without_gain_and_keeps_the_best_epoch() {
    let set = people(24, 3, 8, 5);
    let config = EmbeddingConfig { learning_rate: 0.5, epochs: 500, patience: 3, ..small() };
    let mut trainer = Trainer::embedding(&set, config.clone()).unwrap();
    assert_eq!(finish(&mut trainer), Outcome::Stopped);
    let (epochs, best) = (trainer.history().len() as u32 - 1, trainer.best().clone());
    assert_eq!(epochs, best.epoch + 3);
    assert!(trainer.history().iter().all(|epoch| epoch.held_out_loss >= best.held_out_loss));
    let judged = trainer.task.assess(trainer.head()).unwrap();
    assert_eq!(judged.loss, best.held_out_loss);
    // More patience may be asked for later.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    trainer.save(&file).unwrap();
    let config = EmbeddingConfig { patience: 4, ..config };
    let mut longer = Trainer::resume_embedding(&set, config, &file).unwrap();
    finish(&mut longer);
    assert!(longer.history().len() as u32 > epochs + 1);
}

#[test]
fn a_start_from_principal_components_is_what_it_has_to_beat() {
    let set = people(24, 3, 8, 5);
    let config = EmbeddingConfig { hidden: None, dropout: 0.0, start: Start::Pca, ..small() };
    let trainer = Trainer::embedding(&set, config.clone()).unwrap();
    let wanted = crate::train::baseline::pca(trainer.training(), 6).unwrap();
    assert_eq!(*trainer.head(), wanted);
    assert!(refused(&set, EmbeddingConfig { hidden: Some(4), ..config }).contains("`start`"));
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let set = people(24, 3, 8, 5);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    Trainer::embedding(&set, small()).unwrap().save(&file).unwrap();
    let refused = |set: &FeatureSet, config| {
        let text = Trainer::resume_embedding(set, config, &file).unwrap_err().to_string();
        assert!(text.contains("training.safetensors"), "{text}");
        text
    };
    assert!(refused(&set, EmbeddingConfig { margin: 0.3, ..small() }).contains("settings"));
    assert!(refused(&people(24, 3, 8, 6), small()).contains("features"));
    assert!(Trainer::resume_embedding(&set, EmbeddingConfig { epochs: 9, ..small() }, &file).is_ok());
    let whole = fs::read(&file).unwrap();
    for length in [0, 7, 100, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        refused(&set, small());
    }
    let tensors: [(&str, safetensors::tensor::TensorView<'_>); 0] = [];
    fs::write(&file, safetensors::serialize(tensors, None).unwrap()).unwrap();
    assert!(refused(&set, small()).contains("no checkpoint"));
    fs::remove_file(&file).unwrap();
    refused(&set, small());
}

#[test]
fn a_checkpoint_that_cannot_be_written_names_its_file() {
    let set = people(24, 3, 8, 5);
    let folder = tempfile::tempdir().unwrap();
    let trainer = Trainer::embedding(&set, small()).unwrap();
    let missing = folder.path().join("missing/training.safetensors");
    assert!(trainer.save(&missing).unwrap_err().to_string().contains("missing"));
}

#[test]
fn too_few_people_or_images_are_refused() {
    let text = refused(&people(1, 9, 8, 5), small());
    assert!(text.contains("1 of 1 people have two images or more"), "{text}");
    let text = refused(&people(9, 1, 8, 5), small());
    assert!(text.contains("0 of 9 people"), "{text}");
    assert!(refused(&people(4, 2, 8, 5), small()).contains("each part needs at least two"));
    assert!(Trainer::embedding(&people(4, 2, 8, 5), EmbeddingConfig { held_out: 0.5, ..small() }).is_ok());
}

#[test]
fn people_with_one_image_are_left_out() {
    let face = |person: usize, image: usize| Sample {
        person: format!("{person:02}"),
        image: image.to_string(),
        vector: vec![person as f32 + 1.0, image as f32, 1.0],
    };
    let faces = (0..20).flat_map(|person| (0..1 + person % 2 * 2).map(move |image| face(person, image)));
    let set = FeatureSet::new(faces.collect()).unwrap();
    let trainer = Trainer::embedding(&set, EmbeddingConfig { dimension: 2, ..small() }).unwrap();
    assert_eq!((trainer.training().names().len(), trainer.training().len()), (8, 24));
    assert_eq!((trainer.judges().names().len(), trainer.judges().len()), (2, 6));
}

#[test]
fn settings_outside_their_range_are_named() {
    let set = people(24, 3, 8, 5);
    for (config, key) in [
        (EmbeddingConfig { margin: 0.0, ..small() }, "margin"),
        (EmbeddingConfig { margin: f64::NAN, ..small() }, "margin"),
        (EmbeddingConfig { people: 1, ..small() }, "people"),
        (EmbeddingConfig { images: 1, ..small() }, "images"),
        (EmbeddingConfig { held_out: 1.0, ..small() }, "held_out"),
        (EmbeddingConfig { held_out: f64::NAN, ..small() }, "held_out"),
        (EmbeddingConfig { false_accept_rate: 0.0, ..small() }, "false_accept_rate"),
        (EmbeddingConfig { dropout: 1.0, ..small() }, "dropout"),
        (EmbeddingConfig { dimension: 0, ..small() }, "dimension"),
        (EmbeddingConfig { hidden: Some(0), ..small() }, "hidden"),
        (EmbeddingConfig { people: usize::MAX, images: usize::MAX, ..small() }, "people"),
        (EmbeddingConfig { learning_rate: 0.0, ..small() }, "learning_rate"),
        (EmbeddingConfig { learning_rate: -1.0, ..small() }, "learning_rate"),
        (EmbeddingConfig { learning_rate: f64::NAN, ..small() }, "learning_rate"),
        (EmbeddingConfig { learning_rate: f64::INFINITY, ..small() }, "learning_rate"),
        (EmbeddingConfig { epochs: 0, ..small() }, "epochs"),
        (EmbeddingConfig { patience: 0, ..small() }, "patience"),
    ] {
        let text = refused(&set, config);
        assert!(text.starts_with(&format!("`{key}`")), "{key}: {text}");
    }
}

#[test]
fn few_held_out_people_are_judged_by_the_loss_alone() {
    let config = EmbeddingConfig { false_accept_rate: 1e-4, ..small() };
    let trainer = Trainer::embedding(&people(24, 3, 8, 5), config).unwrap();
    assert!(trainer.best().held_out_rate.is_none() && trainer.best().held_out_loss > 0.0);
}

#[test]
fn a_learning_rate_that_breaks_the_numbers_is_told() {
    let config = EmbeddingConfig { learning_rate: 1e38, ..small() };
    let mut trainer = Trainer::embedding(&people(24, 3, 8, 5), config).unwrap();
    let error = trainer.run(|_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}

mod classifier {
    use super::*;

    fn config() -> ClassifierConfig {
        ClassifierConfig { batch: 8, epochs: 60, patience: 60, dropout_prob: 0.2, ..ClassifierConfig::default() }
    }

    #[test]
    fn it_learns_to_tell_people_and_resumes() {
        let set = people(6, 8, 12, 5);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("classifier.safetensors");
        let mut whole = ClassifierTrainer::new(&set, config()).unwrap();
        for _ in 0..7 {
            whole.trainer.step().unwrap();
        }
        whole.trainer.save(&file).unwrap();
        finish(&mut whole.trainer);
        let mut resumed = ClassifierTrainer::resume(&set, config(), &file).unwrap();
        finish(&mut resumed.trainer);
        assert_eq!(resumed.classifier(), whole.classifier());

        let classifier = whole.classifier();
        assert_eq!((classifier.num_classes(), classifier.classes.as_slice()), (6, set.names()));
        assert!(whole.trainer.best().held_out_rate.unwrap() >= 0.9, "{:?}", whole.trainer.best());
        let found = classifier.predict(set.rows()).unwrap();
        let right = found.iter().zip(set.labels()).filter(|(found, label)| **found == **label as usize).count();
        assert!(right >= 44, "{right} of 48");
    }

    #[test]
    fn classify_gives_logits_or_the_vector() {
        let set = people(6, 8, 12, 5);
        let config = ClassifierConfig { num_classes: Some(9), ..config() };
        let mut classifier = ClassifierTrainer::new(&set, config).unwrap().classifier();
        let logits = classifier.head().apply(set.rows()).unwrap();
        assert_eq!((classifier.num_classes(), logits.len()), (9, 48 * 9));
        classifier.classify = false;
        let vectors = classifier.head().apply(set.rows()).unwrap();
        assert!(vectors.iter().zip(set.rows()).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn its_gradient_is_that_of_cross_entropy() {
        // Two faces, zero weights but for one bias: the loss and one step of Adam are known.
        let set = people(2, 4, 3, 1);
        let config = ClassifierConfig { num_classes: Some(4), dropout_prob: 0.0, batch: 100, ..config() };
        let mut trainer = ClassifierTrainer::new(&set, config).unwrap().trainer;
        let mut head = trainer.network.head().unwrap();
        head.layers[0].weight.fill(0.0);
        head.layers[0].bias = vec![0.0; 4];
        trainer.network.set(&head).unwrap();
        let report = trainer.step().unwrap();
        assert!((report.loss.unwrap() - 4.0_f64.ln()).abs() < 1e-6);
        // All logits are equal: the first class is taken, which is wrong for the three faces of the second person.
        assert_eq!((report.active, report.candidates), (3, 6));
        // Adam's first step is the learning rate against the gradient's sign: logits without faces fall, those with faces rise.
        let bias = trainer.network.head().unwrap().layers.remove(0).bias;
        let wanted = [0.01, 0.01, -0.01, -0.01];
        assert!(bias.iter().zip(wanted).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-5), "{bias:?}");
    }

    #[test]
    fn bad_input_is_refused() {
        let refused = |set: &FeatureSet, config| ClassifierTrainer::new(set, config).unwrap_err().to_string();
        let set = people(6, 8, 12, 5);
        assert!(refused(&people(1, 8, 12, 5), config()).contains("1 person"));
        assert!(refused(&people(6, 1, 12, 5), config()).contains("no person has images enough"));
        let config = config();
        assert!(refused(&set, ClassifierConfig { num_classes: Some(5), ..config.clone() }).contains("num_classes"));
        assert!(refused(&set, ClassifierConfig { dropout_prob: 1.0, ..config.clone() }).contains("dropout_prob"));
        assert!(refused(&set, ClassifierConfig { held_out: 0.0, ..config.clone() }).contains("held_out"));
        assert!(refused(&set, ClassifierConfig { batch: 0, ..config }).contains("batch"));
    }
}
