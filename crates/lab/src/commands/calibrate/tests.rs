use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Arguments, Made, Material, Pictures, Results, Run, enough, fragment, single, tables};
use crate::metrics::calibration::{Options, Own, Visit, calibrate};

/// The command's arguments as typed after its name.
fn arguments(words: &[&str]) -> Arguments {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }
    <Line as clap::Parser>::parse_from(["calibrate", "somewhere"].iter().chain(words)).arguments
}

#[test]
fn too_few_people_or_pictures_for_the_rate_are_told_with_the_way_out() {
    let of = |counts: &[usize]| counts.iter().map(|&pictures| Material { visits: 0, pictures }).collect::<Vec<_>>();
    let told = |counts: &[usize], words: &[&str]| enough(&of(counts), &arguments(words)).unwrap_err().to_string();
    assert!(told(&[9, 0], &[]).contains("two or more"));
    assert!(told(&[1, 1, 1], &[]).contains("nobody has two pictures"));
    // Three visits of three pictures each, and one of the single picture.
    let text = told(&[9, 1], &[]);
    assert!(text.contains("0.001 cannot be measured with 4 visits that can stand for a stranger's"), "{text}");
    assert!(text.contains("smallest that these data can show is 0.25") && text.contains("--pictures 1"), "{text}");
    assert!(!told(&[9, 1], &["--pictures", "1"]).contains("--pictures 1"));
    assert!(told(&[9, 9], &["--false-accept-rate", "7"]).contains("above 0 and below 1"));
    assert!(enough(&of(&[9, 1]), &arguments(&["--false-accept-rate", "0.25"])).is_ok());
    // Where visits are known their pictures are none of their own.
    let visits = |counts: [usize; 2]| counts.map(|visits| Material { visits, pictures: 0 });
    let told = |counts| enough(&visits(counts), &arguments(&["--false-accept-rate", "0.3"])).unwrap_err().to_string();
    assert!(told([1, 1]).contains("nobody has two pictures that are not of one visit"), "{}", told([1, 1]));
    assert!(told([2, 1]).ends_with("or give more people or visits"), "{}", told([2, 1]));
    assert!(enough(&visits([2, 1]), &arguments(&["--false-accept-rate", "0.34"])).is_ok());
}

#[test]
fn who_cannot_be_shown_to_be_recognised_is_named() {
    let people = ["Ann", "Bob", "Cleo"].map(str::to_owned);
    let of = |visits, pictures| Material { visits, pictures };
    assert_eq!(single(&people, &[of(2, 0), of(1, 1), of(0, 2)]), None);
    let told = single(&people, &[of(2, 0), of(1, 0), of(0, 1)]).unwrap();
    assert!(
        told.starts_with("Cleo has one picture and Bob has one visit: that counts as a stranger's visit"),
        "{told}"
    );
    let told = single(&people, &[of(1, 0), of(1, 0), of(1, 0)]).unwrap();
    assert!(told.starts_with("3 people, the first: Ann, have one visit"), "{told}");
}

/// Ten visits of two people who are told apart well.
fn results(strangers: f64, data: &str, own: Option<Own>) -> Results {
    let visit = |person: usize, own: f64, other: f64| {
        let scores = if person == 0 { vec![Some(own), Some(other)] } else { vec![Some(other), Some(own)] };
        Visit { person: Some(person), scores, nearest_other_visit: Some(other) }
    };
    let visits: Vec<Visit> = (0..10).map(|index| visit(index % 2, 0.95, strangers - 0.01 * index as f64)).collect();
    let options =
        Options { false_accept_rate: 0.1, ambiguous_rate: 0.3, plausible: [0.3, 0.9], least_margin: 0.08, own };
    let people = ["Ann".to_owned(), "Bob".to_owned()];
    Results {
        data: PathBuf::from(data),
        embedder: "facenet".to_owned(),
        detector: "centerface".to_owned(),
        least_face: 50,
        people: 2,
        pictures: Pictures { all: 21, used: 20, without_face: 1, refused: BTreeMap::new() },
        pictures_a_visit: 2,
        made: Made { visits: 10, known: 4, shorter: 0, of_strangers_only: 0 },
        calibration: calibrate(&people, &visits, &options).unwrap(),
        true_joins: super::joined(&[0.9, 0.3], 0.5),
        templates: Vec::new(),
    }
}

#[test]
fn the_fragment_is_configuration_and_says_what_it_rests_on() {
    let run = Run::start("calibrate", "1").seeded(7);
    let text = fragment::text(&run, &results(0.5, "my\nidentify: {accept: 0.1}", None));
    // One of ten may pass: just above the second highest, .49; three may be ambiguous: just above .47.
    let settings: Vec<&str> = text.lines().filter_map(|line| line.split(" #").next()).collect();
    let settings: Vec<&str> = settings.into_iter().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "models:",
        "  detector: centerface",
        "  embedder: facenet",
        "identify:",
        "  min_face: 50",
        "  accept: 0.491",
        "  unknown: 0.471",
        "  margin: 0.080",
        "  cluster: 0.491",
    ];
    assert_eq!(settings, expected, "nothing of the data's name is configuration: {text}");
    for part in [
        "2 people with 20 pictures (10 visits, 4 of them known,",
        "Of 10 visits, each as a stranger's, 1 reach accept: 0.10000;",
        "Visits of one person are not independent. Of 2 people 1 have such a visit: 0.50000 (95 %: 0.01258",
        "weak",
        "seed 7: my identify",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Keys of the configuration as the pipeline has them; tests/calibrate.rs has the pipeline check a whole piece.
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../sightline/src/config.rs");
    let config = std::fs::read_to_string(config).unwrap();
    for key in settings.iter().filter_map(|line| line.trim().split(':').next()) {
        assert!(config.contains(&format!("    pub(crate) {key}: ")), "{key}");
    }
}

#[test]
fn two_people_do_not_lower_the_embedder_s_own() {
    let run = Run::start("calibrate", "1").seeded(7);
    let results = results(0.5, "x", Some(Own { accept: 0.6, cluster: 0.65 }));
    let from = "# the embedder's own: 2 people cannot show that a lower one would do; it takes 10";
    let text = fragment::text(&run, &results);
    for line in [
        format!("  accept: 0.600 {from}"),
        "  unknown: 0.471 # measured".to_owned(),
        format!("  cluster: 0.650 {from}"),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    let thresholds = tables::thresholds(&results).to_string();
    assert!(thresholds.contains(&from[2..]), "{thresholds}");
    let shown = tables::shown(&results).to_string();
    assert!(shown.contains("0 of 10: 0.0000") && shown.contains("0 of 2: 0.0000 (0.0000 to 0.8419), weak"), "{shown}");
    assert!(shown.contains("those of one person are not"), "{shown}");
}

#[test]
fn nothing_else_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, run) = (folder.path().join("sightline.yaml"), Run::start("calibrate", "1").seeded(7));
    let write = || fragment::write(&file, &run, &results(0.5, "x", None));
    std::fs::write(&file, "secret_key: abc\n").unwrap();
    let error = write().unwrap_err().to_string();
    assert!(error.contains("sightline.yaml is not replaced") && error.contains("--write another name"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "secret_key: abc\n");
    // Its own, and one without anything in it.
    std::fs::write(&file, "").unwrap();
    write().unwrap();
    write().unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains("identify:\n"));
}

#[test]
fn thresholds_that_the_pipeline_refuses_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identify.yaml");
    let run = Run::start("calibrate", "1").seeded(7);
    let error = fragment::write(&file, &run, &results(0.93, "x", None)).unwrap_err().to_string();
    assert!(error.contains("accept = 0.921") && error.contains("0.3 to 0.9") && !file.exists(), "{error}");
    fragment::write(&file, &run, &results(0.5, "x", None)).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains("identify:\n"));
    let nowhere = folder.path().join("no/such/folder/identify.yaml");
    assert!(
        fragment::write(&nowhere, &run, &results(0.5, "x", None)).unwrap_err().to_string().contains("cannot write")
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
