//! The two kinds of message that leave the tracker.

use sightline_stage::Outputs;
use sightline_stage::bus::{BusError, Outlet};
use sightline_wire::{Crop, IdentifyInput, VisitNote};

/// One message of the tracker.
#[derive(Clone, Debug)]
pub enum TrackOutput {
    /// A crop, to embed.
    Crop(Box<Crop>),
    /// A sign of life of a visit, or its end, straight to identify.
    Note(Box<VisitNote>),
}

/// Where the tracker's messages go.
#[derive(Clone)]
pub struct TrackOutlets {
    /// To embed.
    pub crops: Outlet<Crop>,
    /// To identify.
    pub visits: Outlet<IdentifyInput>,
}

impl std::fmt::Debug for TrackOutlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrackOutlets")
    }
}

impl Outputs for TrackOutput {
    type Outlets = TrackOutlets;

    async fn publish(self, outlets: &Self::Outlets) -> Result<(), BusError> {
        match self {
            Self::Crop(crop) => outlets.crops.publish(*crop).await,
            Self::Note(note) => outlets.visits.publish(IdentifyInput::Note(note)).await,
        }
    }
}
