//! The split that is learned and tested on: given, or drawn from the people with pictures enough.

use std::collections::HashSet;

use anyhow::{Context as _, bail};

use super::super::output;
use super::Arguments;
use crate::dataset::{Dataset, Split};

/// The split of the arguments, all of whose files are in the data set. People who are left out of it are named.
pub(super) fn find(arguments: &Arguments, dataset: &Dataset) -> anyhow::Result<Split> {
    let Some(file) = &arguments.split else {
        return draw(dataset, arguments.train_share, arguments.least, arguments.seed);
    };
    let split = Split::read(file)?;
    split.apply(dataset).with_context(|| format!("--split {}", file.display()))?;
    Ok(split)
}

fn draw(dataset: &Dataset, share: f64, least: usize, seed: u64) -> anyhow::Result<Split> {
    let drawn = Split::by_picture(dataset, share, seed).context("--train-share")?;
    let counts = dataset.counts();
    let (kept, out): (Vec<usize>, Vec<usize>) = (0..counts.len()).partition(|&class| counts[class] >= least);
    let name = |class: &usize| dataset.classes()[*class].as_str();
    if let Some(first) = out.first() {
        let (who, verb) = match out.len() {
            1 => (name(first).to_owned(), "has"),
            more => (format!("{more} people, the first: {},", name(first)), "have"),
        };
        output::note(&format!(
            "{who} {verb} fewer than {least} pictures and cannot be both learned and tested: left out"
        ));
    }
    if kept.len() < 2 {
        let (root, found) = (dataset.root().display(), kept.len());
        bail!("{root}: people with {least} pictures or more: {found}; a recogniser needs two to tell apart");
    }
    let names: HashSet<&str> = kept.iter().map(name).collect();
    let of_kept = |file: &String| names.contains(file.split('/').next().unwrap_or_default());
    let part = |files: Vec<String>| files.into_iter().filter(of_kept).collect();
    Ok(Split {
        seed: drawn.seed,
        classes: kept.iter().map(|class| name(class).to_owned()).collect(),
        train: part(drawn.train),
        test: part(drawn.test),
    })
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::dataset::Dataset;
    use crate::scratch::Scratch;

    fn people(counts: &[usize]) -> (Scratch, Dataset) {
        let scratch = Scratch::new();
        for (person, &count) in counts.iter().enumerate() {
            for number in 1..=count {
                scratch.picture(&format!("p{person}/p{person}_{number:04}.jpg"));
            }
        }
        let dataset = Dataset::open(scratch.path()).unwrap();
        (scratch, dataset)
    }

    #[test]
    fn who_has_too_few_pictures_is_in_no_part() {
        let (_scratch, dataset) = people(&[10, 1, 2, 3]);
        let split = draw(&dataset, 0.7, 2, 3).unwrap();
        assert_eq!(split.classes, ["p0", "p2", "p3"]);
        assert_eq!((split.train.len(), split.test.len()), (7 + 1 + 2, 3 + 1 + 1));
        assert!(split.train.iter().chain(&split.test).all(|file| !file.starts_with("p1/")));
        // The parts of the others are those that are drawn without anybody left out.
        let fewer = draw(&dataset, 0.7, 3, 3).unwrap();
        assert_eq!(fewer.classes, ["p0", "p3"]);
        assert!(fewer.train.iter().all(|file| split.train.contains(file)));
        // The split applies to the data set that it is of.
        assert_eq!(split.apply(&dataset).unwrap().test.len(), 5);
    }

    #[test]
    fn nobody_to_tell_apart_is_an_error() {
        let (_scratch, dataset) = people(&[5, 1]);
        let error = draw(&dataset, 0.7, 2, 1).unwrap_err().to_string();
        assert!(error.contains("people with 2 pictures or more: 1;"), "{error}");
        let error = format!("{:#}", draw(&dataset, 1.5, 2, 1).unwrap_err());
        assert!(error.contains("--train-share: the share for training must lie between 0 and 1"), "{error}");
    }
}
