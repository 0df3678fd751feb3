//! Why a recogniser cannot learn or recognise.

use std::fmt;

use thiserror::Error;

/// Input that no recogniser can be made of, or that it cannot take.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ClassicalError {
    /// Nothing to choose between.
    #[error("a recogniser needs two people or more to tell apart, here {}", match .0 { Some(person) => format!("is only {person}"), None => "is nobody".to_owned() })]
    TooFewPeople(Option<String>),
    /// A person is listed and has no training sample.
    #[error("{person} has no training sample: give one or leave the person out")]
    NoSample {
        /// Who.
        person: String,
    },
    /// A person has a single training sample where parameters are to be chosen by cross-validation.
    #[error(
        "{person} has one training sample; choosing parameters by cross-validation takes two of everybody: \
         give another, leave the person out or give the parameters"
    )]
    OneSample {
        /// Who.
        person: String,
    },
    /// A sample of a person that is not listed.
    #[error("{place} is of person number {class}, and {people} are listed")]
    NoSuchPerson {
        /// Which sample.
        place: Place,
        /// The number.
        class: usize,
        /// How many people there are.
        people: usize,
    },
    /// A sample of another kind or size than the others.
    #[error("{place} is {found}, the others are {expected}: all must be alike")]
    Shape {
        /// Which sample.
        place: Place,
        /// What the others are.
        expected: Shape,
        /// What this one is.
        found: Shape,
    },
    /// Features where pictures are needed, or pictures where features are.
    #[error("this method takes {takes}, and the training samples are {found}")]
    Kind {
        /// What it takes.
        takes: &'static str,
        /// What it got.
        found: Shape,
    },
    /// A sample without any value.
    #[error("{0} is empty")]
    Empty(Place),
    /// NaN or infinity.
    #[error("{place}: value {index} is {value}, which is no finite number")]
    NotFinite {
        /// Which sample.
        place: Place,
        /// The place in the sample, counted from 0.
        index: usize,
        /// The value.
        value: f32,
    },
    /// Pixels that do not fill the picture, or a region outside of it.
    #[error("{0}")]
    Picture(String),
    /// A parameter that makes no sense.
    #[error("{0}")]
    Parameter(String),
    /// All training samples are the same.
    #[error("all training samples are the same: there is nothing to tell people apart by")]
    NoVariance,
    /// The numerical library gave up.
    #[error("{what}: {message}")]
    Solver {
        /// What was being computed.
        what: &'static str,
        /// What the library said.
        message: String,
    },
}

/// Which sample is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A sample of the training set.
    Training {
        /// Its place, counted from 0.
        index: usize,
        /// Whose it is, where known.
        person: String,
    },
    /// The one to be recognised.
    Probe,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training { index, person } => write!(f, "training sample {index} ({person})"),
            Self::Probe => write!(f, "the sample to recognise"),
        }
    }
}

/// The kind and size of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A vector of features.
    Features(usize),
    /// A gray picture.
    Gray {
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
}

impl Shape {
    /// How many values a sample has.
    #[must_use]
    pub fn values(self) -> usize {
        match self {
            Self::Features(count) => count,
            Self::Gray { width, height } => width * height,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Features(count) => write!(f, "a vector of {count} features"),
            Self::Gray { width, height } => write!(f, "a picture of {width}x{height} pixels"),
        }
    }
}
