//! What identify sends on: nothing. Its effects are in the store, and events are read from there.

use sightline_stage::Outputs;
use sightline_stage::bus::BusError;

/// No output: there is no value of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyOutput {}

impl Outputs for IdentifyOutput {
    type Outlets = ();

    async fn publish(self, (): &()) -> Result<(), BusError> {
        match self {}
    }
}
