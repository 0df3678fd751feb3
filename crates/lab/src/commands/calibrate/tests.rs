use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Arguments, Made, Pictures, Results, Run, enough, fragment};
use crate::metrics::calibration::{Options, Visit, calibrate};

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
    let told = |counts: &[usize], words: &[&str]| enough(counts, &arguments(words)).unwrap_err().to_string();
    assert!(told(&[9, 0], &[]).contains("two or more"));
    assert!(told(&[1, 1, 1], &[]).contains("nobody has two pictures"));
    // Three visits of three pictures each, and one of the single picture.
    let text = told(&[9, 1], &[]);
    assert!(text.contains("0.001 cannot be measured with 4 visits that can stand for a stranger's"), "{text}");
    assert!(text.contains("smallest that can be asked is 0.25") && text.contains("--pictures 1"), "{text}");
    assert!(!told(&[9, 1], &["--pictures", "1"]).contains("--pictures 1"));
    assert!(told(&[9, 9], &["--false-accept-rate", "7"]).contains("above 0 and below 1"));
    assert!(enough(&[9, 1], &arguments(&["--false-accept-rate", "0.25"])).is_ok());
}

/// Ten visits of two people who are told apart well.
fn results(strangers: f64, data: &str) -> Results {
    let visit = |person: usize, own: f64, other: f64| {
        let scores = if person == 0 { vec![Some(own), Some(other)] } else { vec![Some(other), Some(own)] };
        Visit { person: Some(person), scores, nearest_other_visit: Some(other) }
    };
    let visits: Vec<Visit> = (0..10).map(|index| visit(index % 2, 0.95, strangers - 0.01 * index as f64)).collect();
    let options = Options {
        false_accept_rate: 0.1,
        ambiguous_rate: 0.3,
        plausible: [0.3, 0.9],
        least_margin: 0.08,
        cluster_lead: 0.05,
    };
    let people = ["Ann".to_owned(), "Bob".to_owned()];
    Results {
        data: PathBuf::from(data),
        embedder: "facenet".to_owned(),
        detector: "centerface".to_owned(),
        least_face: 50,
        people: 2,
        pictures: Pictures { all: 21, used: 20, without_face: 1, refused: BTreeMap::new() },
        pictures_a_visit: 2,
        made: Made { visits: 10, shorter: 0, of_strangers_only: 0 },
        calibration: calibrate(&people, &visits, &options).unwrap(),
        true_joins: super::joined(&[0.9, 0.3], 0.5),
        templates: Vec::new(),
    }
}

#[test]
fn the_fragment_is_configuration_and_says_what_it_rests_on() {
    let run = Run::start("calibrate", "1").seeded(7);
    let text = fragment::text(&run, &results(0.5, "my\nidentify: {accept: 0.1}"));
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
    for part in ["2 people with 20 pictures", "Of 10 visits", "(95 %: 0.00253", "weak", "seed 7: my identify"] {
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
fn thresholds_that_the_pipeline_refuses_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("identify.yaml");
    let run = Run::start("calibrate", "1").seeded(7);
    let error = fragment::write(&file, &run, &results(0.93, "x")).unwrap_err().to_string();
    assert!(error.contains("accept = 0.921") && error.contains("0.3 to 0.9") && !file.exists(), "{error}");
    fragment::write(&file, &run, &results(0.5, "x")).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains("identify:\n"));
    let nowhere = folder.path().join("no/such/folder/identify.yaml");
    assert!(fragment::write(&nowhere, &run, &results(0.5, "x")).unwrap_err().to_string().contains("cannot write"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
