//! The split that is learned and tested on: given, or drawn from the people with pictures enough.

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::super::output;
use super::Arguments;
use crate::dataset::{Dataset, Split, inseparable};

/// How the split came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawn {
    /// It was given, with so many known visits in both parts.
    Given {
        /// Visits with pictures in both.
        torn: usize,
    },
    /// Every picture for itself: no visit is known.
    ByPicture,
    /// The pictures of each known visit together.
    ByVisit {
        /// Known visits.
        visits: usize,
    },
}

impl std::fmt::Display for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given { torn: 0 } => f.write_str("split: as given"),
            Self::Given { torn } => {
                write!(f, "split: as given; known visits with pictures in both parts, which makes it look easy: {torn}")
            }
            Self::ByPicture => {
                f.write_str("split: drawn by picture, no visit is known: pictures of one moment may be in both parts")
            }
            Self::ByVisit { visits } => {
                write!(f, "split: drawn by visit, {visits} are known from faces.jsonl: none is in both parts")
            }
        }
    }
}

/// The split of the arguments, all of whose files are in the data set. People who are left out of it are named.
pub(super) fn find(arguments: &Arguments, dataset: &Dataset) -> anyhow::Result<(Split, Drawn)> {
    let visits = dataset.visits().with_context(|| dataset.root().join("faces.jsonl").display().to_string())?;
    let Some(file) = &arguments.split else {
        return draw(dataset, &visits, arguments);
    };
    let split = Split::read(file)?;
    let parts = split.apply(dataset).with_context(|| format!("--split {}", file.display()))?;
    let of = |part: &[usize]| -> HashSet<usize> { part.iter().filter_map(|index| visits[*index]).collect() };
    let torn = of(&parts.train).intersection(&of(&parts.test)).count();
    Ok((split, Drawn::Given { torn }))
}

fn draw(dataset: &Dataset, visits: &[Option<usize>], arguments: &Arguments) -> anyhow::Result<(Split, Drawn)> {
    let (share, least, seed) = (arguments.train_share, arguments.least, arguments.seed);
    let drawn = Split::by_picture(dataset, visits, share, seed).context("--train-share")?;
    let (counts, groups) = (dataset.counts(), inseparable(dataset, visits));
    let (enough, few): (Vec<usize>, Vec<usize>) = (0..counts.len()).partition(|&class| counts[class] >= least);
    let (kept, once): (Vec<usize>, Vec<usize>) = enough.into_iter().partition(|&class| groups[class].len() > 1);
    let name = |class: &usize| dataset.classes()[*class].as_str();
    for (out, what) in
        [(&few, format!("fewer than {least} pictures")), (&once, "pictures of one visit only".to_owned())]
    {
        let (who, verb) = match out[..] {
            [] => continue,
            [ref only] => (name(only).to_owned(), "has"),
            [ref first, ..] => (format!("{} people, the first: {},", out.len(), name(first)), "have"),
        };
        output::note(&format!("{who} {verb} {what} and cannot be both learned and tested: left out"));
    }
    let known: HashSet<usize> = visits.iter().flatten().copied().collect();
    if kept.len() < 2 {
        let (root, found) = (dataset.root().display(), kept.len());
        let of = if known.is_empty() { "" } else { " of more than one visit" };
        bail!("{root}: people with {least} pictures or more{of}: {found}; a recogniser needs two to tell apart");
    }
    let names: HashSet<&str> = kept.iter().map(name).collect();
    let of_kept = |file: &String| names.contains(file.split('/').next().unwrap_or_default());
    let part = |files: Vec<String>| files.into_iter().filter(of_kept).collect();
    let split = Split {
        seed: drawn.seed,
        classes: kept.iter().map(|class| name(class).to_owned()).collect(),
        train: part(drawn.train),
        test: part(drawn.test),
    };
    let visits = known.len();
    Ok((split, if visits == 0 { Drawn::ByPicture } else { Drawn::ByVisit { visits } }))
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::{Drawn, find};
    use crate::dataset::{Dataset, Split};
    use crate::scratch::Scratch;

    fn drawn(dataset: &Dataset, words: &[&str]) -> anyhow::Result<(Split, Drawn)> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            arguments: Arguments,
        }
        let line = <Line as clap::Parser>::parse_from(["classify", "somewhere"].iter().chain(words));
        find(&line.arguments, dataset)
    }

    #[test]
    fn who_has_too_few_pictures_is_in_no_part() {
        let (_scratch, dataset) = Scratch::people(&[10, 1, 2, 3]);
        let (split, how) = drawn(&dataset, &["--seed", "3"]).unwrap();
        assert_eq!(split.classes, ["p0", "p2", "p3"]);
        assert_eq!((split.train.len(), split.test.len(), how), (7 + 1 + 2, 3 + 1 + 1, Drawn::ByPicture));
        assert!(split.train.iter().chain(&split.test).all(|file| !file.starts_with("p1/")));
        // The parts of the others are those that are drawn without anybody left out.
        let (fewer, _) = drawn(&dataset, &["--seed", "3", "--least", "3"]).unwrap();
        assert_eq!(fewer.classes, ["p0", "p3"]);
        assert!(fewer.train.iter().all(|file| split.train.contains(file)));
        // The split applies to the data set that it is of.
        assert_eq!(split.apply(&dataset).unwrap().test.len(), 5);
    }

    #[test]
    fn a_known_visit_is_in_one_part() {
        let (scratch, dataset) = Scratch::people(&[6, 6, 4]);
        // Two visits each of the first two people, one of the third.
        let visit = |person: usize, number: usize| person * 2 + usize::from(person < 2 && number > 3);
        let line = |(person, number)| {
            format!("{{\"file\": \"p{person}/p{person}_{number:04}.jpg\", \"visit\": \"{}\"}}\n", visit(person, number))
        };
        let pictures =
            [(0, 6), (1, 6), (2, 4)].into_iter().flat_map(|(person, count)| (1..=count).map(move |n| (person, n)));
        scratch.file("faces.jsonl", pictures.map(line).collect::<String>().as_bytes());
        let (split, how) = drawn(&dataset, &[]).unwrap();
        assert_eq!((split.classes.len(), how), (2, Drawn::ByVisit { visits: 5 }), "of one visit no part can be tested");
        for person in ["p0/", "p1/"] {
            let of = |files: &[String]| files.iter().filter(|file| file.starts_with(person)).count();
            assert_eq!((of(&split.train), of(&split.test)), (3, 3), "{split:?}");
            let first =
                split.train.iter().filter(|file| file.starts_with(person) && file.as_str() < "p0/p0_0004").count();
            assert!(person == "p1/" || first == 0 || first == 3, "{split:?}");
        }
        let file = scratch.path().join("split.json");
        split.write(&file).unwrap();
        let given = |file: &std::path::Path| drawn(&dataset, &["--split", file.to_str().unwrap()]).unwrap().1;
        assert_eq!(given(&file), Drawn::Given { torn: 0 });
        let (train, mut test) = (vec!["p0/p0_0001.jpg".to_owned()], vec!["p0/p0_0002.jpg".to_owned()]);
        test.push("p0/p0_0006.jpg".to_owned());
        Split { train, test, ..split }.write(&file).unwrap();
        assert_eq!(given(&file), Drawn::Given { torn: 1 });
        assert!(given(&file).to_string().ends_with("look easy: 1"));
    }

    #[test]
    fn nobody_to_tell_apart_is_an_error() {
        let (_scratch, dataset) = Scratch::people(&[5, 1]);
        let error = drawn(&dataset, &[]).unwrap_err().to_string();
        assert!(error.contains("people with 2 pictures or more: 1;"), "{error}");
        let error = format!("{:#}", drawn(&dataset, &["--train-share", "1.5"]).unwrap_err());
        assert!(error.contains("--train-share: the share for training must lie between 0 and 1"), "{error}");
    }
}
