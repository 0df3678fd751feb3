//! How good a face picture is, and why it is not good enough.

/// The measured quality of one face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// All of it in one number, 0 (useless) to 1 (ideal): what best shots are chosen by and vectors are weighted by.
    pub score: f32,
    /// Variance of the Laplacian of the luma of the face at a fixed size.
    pub sharpness: f32,
    /// 1 for a face that looks into the camera, 0 for a profile.
    pub frontality: f32,
}

/// Why a face is not worth embedding. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QualityReason {
    /// Smaller than asked for.
    Small,
    /// Not sharp.
    Blurred,
    /// Turned too far from the camera.
    Turned,
    /// Partly outside the frame.
    Truncated,
    /// The detector is not sure that it is a face.
    LowScore,
}

impl QualityReason {
    /// Every reason, in the order of [`QualityReason::as_str`].
    pub const ALL: [Self; 5] = [Self::Small, Self::Blurred, Self::Turned, Self::Truncated, Self::LowScore];

    /// The name used in events, reports and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Blurred => "blurred",
            Self::Turned => "turned",
            Self::Truncated => "truncated",
            Self::LowScore => "low_score",
        }
    }
}
