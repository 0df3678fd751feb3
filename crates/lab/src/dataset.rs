//! Data sets of people: folders of pictures, the visits they were taken in, verification pairs, and splits into a training and a test part.

mod folder;
mod pairs;
mod picture;
mod split;
mod visits;

pub use folder::{Dataset, DatasetError, Sample, Skipped};
pub use pairs::{LocatedPair, LocatedPairs, MissingPicture, Pair, PairPicture, Pairs, PairsError};
pub use picture::{EXTENSIONS, SkipReason};
pub use split::{Parts, Split, SplitError, inseparable};
