//! Verification pairs in the format of LFW's `pairs.txt`.
//!
//! The first line is `folds pairs`, or `pairs` alone for one fold (as in `pairsDevTest.txt`). Each fold follows as
//! `pairs` lines `name number number` of the same person, then `pairs` lines `name number name number` of different
//! people. Fields are separated by tabs, or by any white space where a line has no tab. Picture `number` of `name`
//! is the file `name/name_NNNN` with four digits and one of the picture extensions.

use std::path::Path;

use serde::Serialize;
use thiserror::Error;

use super::picture::EXTENSIONS;

/// A picture as `pairs.txt` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairPicture {
    /// The person.
    pub name: String,
    /// The number of the picture, counted from 1.
    pub number: u32,
}

impl PairPicture {
    /// The file without its extension, relative to the data set.
    #[must_use]
    pub fn stem(&self) -> String {
        format!("{0}/{0}_{1:04}", self.name, self.number)
    }

    /// The file below `root`, relative to it, whichever picture extension it has, in small or capital letters.
    fn locate(&self, root: &Path) -> Option<String> {
        let stem = self.stem();
        let extensions = EXTENSIONS.iter().flat_map(|extension| [(*extension).to_owned(), extension.to_uppercase()]);
        extensions.map(|extension| format!("{stem}{extension}")).find(|file| root.join(file).is_file())
    }
}

/// Two pictures and whether they show the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The first picture.
    pub first: PairPicture,
    /// The second picture.
    pub second: PairPicture,
    /// Whether the pair is of the same person.
    pub same: bool,
    /// The line of the file, counted from 1.
    pub line: usize,
}

/// What is wrong with a list of pairs.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PairsError {
    /// The first line is neither `folds pairs` nor `pairs`.
    #[error("line 1: expected the number of folds and of pairs in each, as in `10 300`, found `{0}`")]
    Header(String),
    /// The header promises another number of lines.
    #[error("the first line promises {expected} pairs ({folds} folds of 2 x {pairs}), the file has {found}")]
    Count {
        /// How many pairs there should be.
        expected: u64,
        /// How many folds the header names.
        folds: u32,
        /// How many pairs of each kind the header names for a fold.
        pairs: u32,
        /// How many lines follow the header.
        found: usize,
    },
    /// A line is no pair of the kind that belongs there.
    #[error("line {line}: {what}, found `{found}`")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What belongs there.
        what: &'static str,
        /// What is there.
        found: String,
    },
}

/// Verification pairs in folds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// The folds in file order, each with its pairs in file order: first those of the same person.
    pub folds: Vec<Vec<Pair>>,
}

/// A pair whose two files are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocatedPair {
    /// The first file, relative to the data set.
    pub first: String,
    /// The second file, relative to the data set.
    pub second: String,
    /// Whether the pair is of the same person.
    pub same: bool,
    /// The line of the list, counted from 1.
    pub line: usize,
}

/// A picture that the list names and the data set lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingPicture {
    /// The line of the list, counted from 1.
    pub line: usize,
    /// The file without extension, relative to the data set.
    pub stem: String,
}

impl std::fmt::Display for MissingPicture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}: {}.jpg is missing", self.line, self.stem)
    }
}

/// The pairs that can be compared and the pictures that are missing for the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocatedPairs {
    /// The folds, without the pairs that miss a picture.
    pub folds: Vec<Vec<LocatedPair>>,
    /// Every missing picture, by line.
    pub missing: Vec<MissingPicture>,
}

impl Pairs {
    /// Reads the text of a list of pairs.
    ///
    /// # Errors
    /// When the header, the number of lines or a line is wrong; the message names the line.
    pub fn parse(text: &str) -> Result<Self, PairsError> {
        // Some editors begin a text with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let header = text.lines().next().unwrap_or_default().trim();
        let (folds, pairs) = parse_header(header).ok_or_else(|| PairsError::Header(header.to_owned()))?;
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .skip(1)
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        let expected = u64::from(folds).saturating_mul(2 * u64::from(pairs));
        if u64::try_from(lines.len()) != Ok(expected) {
            return Err(PairsError::Count { expected, folds, pairs, found: lines.len() });
        }
        // As many lines as promised are there, so these sizes are real.
        let of_kind = pairs as usize;
        let parse_fold = |fold: &[(usize, &str)]| {
            fold.iter().enumerate().map(|(place, &(number, line))| parse_pair(line, number, place < of_kind)).collect()
        };
        let folds = lines.chunks(2 * of_kind).map(parse_fold).collect::<Result<_, _>>()?;
        Ok(Self { folds })
    }

    /// Writes the list as [`Pairs::parse`] reads it. All folds are expected to have as many pairs of each kind as the
    /// first.
    #[must_use]
    pub fn to_text(&self) -> String {
        let pairs = self.folds.first().map_or(0, |fold| fold.len() / 2);
        let mut text = format!("{}\t{pairs}\n", self.folds.len());
        for pair in self.folds.iter().flatten() {
            let (first, second) = (&pair.first, &pair.second);
            text += &if pair.same {
                format!("{}\t{}\t{}\n", first.name, first.number, second.number)
            } else {
                format!("{}\t{}\t{}\t{}\n", first.name, first.number, second.name, second.number)
            };
        }
        text
    }

    /// Finds the files of the pairs below `root`. A pair with a missing file is left out and the file listed, so that
    /// the others can still be compared.
    #[must_use]
    pub fn locate(&self, root: &Path) -> LocatedPairs {
        let mut missing = Vec::new();
        let mut locate_pair = |pair: &Pair| {
            let mut locate = |picture: &PairPicture| {
                let file = picture.locate(root);
                if file.is_none() {
                    missing.push(MissingPicture { line: pair.line, stem: picture.stem() });
                }
                file
            };
            let (first, second) = (locate(&pair.first), locate(&pair.second));
            Some(LocatedPair { first: first?, second: second?, same: pair.same, line: pair.line })
        };
        let folds = self.folds.iter().map(|fold| fold.iter().filter_map(&mut locate_pair).collect()).collect();
        LocatedPairs { folds, missing }
    }
}

/// The number of folds and the number of pairs of each kind in a fold, both at least 1.
fn parse_header(header: &str) -> Option<(u32, u32)> {
    let numbers: Vec<u32> = header.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [folds, pairs] if folds > 0 && pairs > 0 => Some((folds, pairs)),
        [pairs] if pairs > 0 => Some((1, pairs)),
        _ => None,
    }
}

fn parse_pair(text: &str, line: usize, same: bool) -> Result<Pair, PairsError> {
    let wrong = |what| PairsError::Line { line, what, found: text.to_owned() };
    let separator = |letter: char| if text.contains('\t') { letter == '\t' } else { letter.is_whitespace() };
    let fields: Vec<&str> = text.split(separator).map(str::trim).filter(|field| !field.is_empty()).collect();
    let picture = |name: &str, number: &str| {
        let number = number.parse().map_err(|_| wrong("the number of a picture is not a number"))?;
        // A name becomes a path below the data set and must not lead out of it.
        if name.contains(['/', '\\']) || name == ".." || name == "." {
            return Err(wrong("a name that is no folder's name"));
        }
        Ok(PairPicture { name: name.to_owned(), number })
    };
    let (first, second) = match (same, &fields[..]) {
        (true, [name, one, two]) => (picture(name, one)?, picture(name, two)?),
        (false, [name, one, other, two]) => (picture(name, one)?, picture(other, two)?),
        (true, _) => return Err(wrong("expected a pair of the same person, `name number number`")),
        (false, _) => return Err(wrong("expected a pair of different people, `name number name number`")),
    };
    if same && first == second {
        return Err(wrong("a picture is compared with itself"));
    }
    if !same && first.name == second.name {
        return Err(wrong("a pair of different people names one person twice"));
    }
    Ok(Pair { first, second, same, line })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scratch::Scratch;

    const TWO_FOLDS: &str = "2\t1\nAnna\t1\t4\nAnna\t1\tBen\t12\n\nBen\t2\t3\nCleo\t1\tAnna\t2\n";

    #[test]
    fn folds_with_both_kinds_of_pairs() {
        let pairs = Pairs::parse(TWO_FOLDS).unwrap();
        assert_eq!(pairs.folds.len(), 2);
        let different = &pairs.folds[0][1];
        assert!(!different.same);
        assert_eq!(different.first.stem(), "Anna/Anna_0001");
        assert_eq!(different.second.stem(), "Ben/Ben_0012");
        assert_eq!(pairs.folds[1][0].line, 5, "lines are those of the file, the empty one counted");
        assert!(pairs.folds[1][0].same);
    }

    #[test]
    fn a_header_with_only_the_pairs_is_one_fold() {
        let pairs = Pairs::parse("\u{feff}2\r\nA 1 2\r\nB 1 2\r\nA 1 B 1\r\nA 2 B 2\r\n").unwrap();
        assert_eq!(pairs.folds.len(), 1);
        assert_eq!(pairs.folds[0].iter().filter(|pair| pair.same).count(), 2);
    }

    #[test]
    fn names_with_spaces_need_tabs() {
        let pairs = Pairs::parse("1\nAnna Maria\t1\t2\nAnna Maria\t1\tBen\t1\n").unwrap();
        assert_eq!(pairs.folds[0][0].first.stem(), "Anna Maria/Anna Maria_0001");
    }

    #[test]
    fn wrong_lists_name_the_line() {
        let message = |text: &str| Pairs::parse(text).unwrap_err().to_string();
        for header in ["", "ten 300", "0 300", "10 0", "0", "1 2 3", "-1 3", "Anna\t1\t2"] {
            assert!(message(header).starts_with("line 1: expected the number of folds"), "{header}");
        }
        assert_eq!(
            message("2 300\nA 1 2\n"),
            "the first line promises 1200 pairs (2 folds of 2 x 300), the file has 1"
        );
        assert!(matches!(Pairs::parse("4294967295 4294967295\n"), Err(PairsError::Count { found: 0, .. })));
        assert!(message("1\nA 1 B 1\nA 1 2\n").starts_with("line 2: expected a pair of the same person"));
        assert!(message("1\nA 1 2\nA 1 2\n").starts_with("line 3: expected a pair of different people"));
        assert!(message("1\nA one 2\nA 1 B 2\n").starts_with("line 2: the number of a picture is not a number"));
        assert!(message("1\nA 2 2\nA 1 B 2\n").contains("compared with itself"));
        assert!(message("1\nA 1 2\nA 1 A 2\n").contains("names one person twice"));
        assert!(message("1\n../x 1 2\nA 1 B 2\n").contains("no folder's name"));
    }

    #[test]
    fn missing_files_are_named_with_their_lines_and_the_rest_is_kept() {
        let scratch = Scratch::new();
        for file in ["Anna/Anna_0001.JPG", "Anna/Anna_0004.png", "Anna/Anna_0002.jpg", "Ben/Ben_0002.jpg"] {
            scratch.picture(file);
        }
        let located = Pairs::parse(TWO_FOLDS).unwrap().locate(scratch.path());
        assert_eq!(located.folds.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
        let pair = &located.folds[0][0];
        assert_eq!((pair.first.as_str(), pair.second.as_str()), ("Anna/Anna_0001.JPG", "Anna/Anna_0004.png"));
        let missing: Vec<String> = located.missing.iter().map(MissingPicture::to_string).collect();
        assert_eq!(
            missing,
            [
                "line 3: Ben/Ben_0012.jpg is missing",
                "line 5: Ben/Ben_0003.jpg is missing",
                "line 6: Cleo/Cleo_0001.jpg is missing",
            ]
        );
    }

    proptest! {
        #[test]
        fn lists_survive_writing_and_reading(folds in 1_u32..5, pairs in 1_u32..6, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut picture = |name: char| PairPicture { name: name.to_string(), number: random.u32(1..9999) };
            let mut text_line = 1;
            let mut pair = |same: bool| {
                text_line += 1;
                let first = picture('A');
                let mut second = picture(if same { 'A' } else { 'B' });
                second.number += u32::from(same && first.number == second.number);
                Pair { first, second, same, line: text_line }
            };
            let folds = (0..folds).map(|_| (0..2 * pairs).map(|place| pair(place < pairs)).collect()).collect();
            let list = Pairs { folds };
            prop_assert_eq!(Pairs::parse(&list.to_text()), Ok(list));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9A-C \t\n./-]{0,60}") {
            drop(Pairs::parse(&text));
        }
    }
}
