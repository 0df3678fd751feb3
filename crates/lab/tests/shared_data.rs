//! The readers on the project's shared data: the LFW development set and the stated split of seven people. Skipped
//! where that is not at hand.

#![allow(clippy::unwrap_used, reason = "a test fails where something fails")]

use sightline_lab::dataset::{Dataset, Pairs, Split};
use sightline_testkit::shared_or_skip;

#[test]
fn the_pairs_of_the_development_set_are_all_there() {
    let Some(shared) = shared_or_skip("shared_data::the_pairs_of_the_development_set_are_all_there") else { return };
    let root = shared.join("data/lfw-dev");
    let text = std::fs::read_to_string(root.join("pairs.txt")).unwrap();
    let pairs = Pairs::parse(&text).unwrap();
    assert_eq!(pairs.to_text().lines().collect::<Vec<_>>(), text.lines().collect::<Vec<_>>());
    let located = pairs.locate(&root);
    assert!(located.missing.is_empty(), "{:?}", located.missing);
    for fold in &located.folds {
        assert_eq!((fold.len(), fold.iter().filter(|pair| pair.same).count()), (600, 300));
    }
    assert_eq!(located.folds.len(), 2);
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!((dataset.samples().len(), dataset.skipped().len()), (1583, 0));
}

#[test]
fn the_stated_split_of_seven_people_applies() {
    let Some(shared) = shared_or_skip("shared_data::the_stated_split_of_seven_people_applies") else { return };
    let dataset = Dataset::open(&shared.join("data/lfw-people70")).unwrap();
    let split = Split::read(&shared.join("golden/classical.json")).unwrap();
    assert_eq!(dataset.classes(), split.classes);
    let parts = split.apply(&dataset).unwrap();
    assert_eq!((parts.train.len(), parts.test.len()), (343, 147));
    assert_eq!(parts.train.len() + parts.test.len(), dataset.samples().len());
}
