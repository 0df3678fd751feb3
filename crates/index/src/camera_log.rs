//! Cameras that go offline and come back, as events: one for each change, however many ways of being offline follow.

use std::collections::HashMap;

use sightline_store::{CameraStateRow, IdentifyBatch};
use sightline_wire::{CameraChange, CameraEvent, CameraId, CameraState, EventRecord, Utc};

/// The last word about every camera.
#[derive(Debug, Default)]
pub(crate) struct CameraLog {
    rows: HashMap<CameraId, CameraStateRow>,
}

impl CameraLog {
    pub(crate) fn new(rows: Vec<CameraStateRow>) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.camera.clone(), row)).collect() }
    }

    /// Notes a change. A camera that comes up for the first time is no event: it was never away. Words from an epoch that
    /// is over (an owner that lost the camera) change nothing.
    pub(crate) fn note(&mut self, change: &CameraChange, changes: &mut IdentifyBatch) {
        let before = self.rows.get(&change.camera);
        if before.is_some_and(|row| row.epoch > change.epoch) {
            return;
        }
        let was_offline = before.is_some_and(|row| row.offline);
        let offline = match change.state {
            CameraState::Online => false,
            CameraState::Connecting => was_offline,
            _ => true,
        };
        let row = CameraStateRow {
            camera: change.camera.clone(),
            epoch: change.epoch,
            state: change.state,
            offline,
            at: change.at,
            detail: change.detail.clone(),
        };
        if offline != was_offline {
            changes.events.push(EventRecord::Camera(CameraEvent {
                schema: CameraEvent::SCHEMA.to_owned(),
                seq: 0,
                kind: if offline { "offline" } else { "online" }.to_owned(),
                camera: change.camera.clone(),
                state: change.state,
                at: change.at,
                publish_ts: Utc::default(),
                detail: change.detail.clone(),
            }));
        }
        changes.cameras.retain(|other| other.camera != row.camera);
        changes.cameras.push(row.clone());
        self.rows.insert(change.camera.clone(), row);
    }
}

#[cfg(test)]
mod tests {
    use super::CameraLog;
    use crate::testing::camera;
    use sightline_store::IdentifyBatch;
    use sightline_wire::{CameraState as S, EventRecord, IdentifyInput};

    fn kinds(log: &mut CameraLog, words: &[(u64, S)]) -> Vec<(String, S)> {
        let mut changes = IdentifyBatch::default();
        for (epoch, state) in words {
            let IdentifyInput::Camera(change) = camera("lobby", *epoch, *state) else { unreachable!() };
            log.note(&change, &mut changes);
        }
        let events = changes.events.into_iter().map(|event| match event {
            EventRecord::Camera(event) => (event.kind, event.state),
            other => panic!("{other:?}"),
        });
        events.collect()
    }

    #[test]
    fn one_outage_is_one_offline_and_one_online_event() {
        let mut log = CameraLog::default();
        assert_eq!(kinds(&mut log, &[(1, S::Connecting), (1, S::Online)]), []);
        let outage = [
            (1, S::Stalled),
            (2, S::Connecting),
            (2, S::Unreachable),
            (3, S::Connecting),
            (3, S::Unreachable),
            (4, S::Online),
        ];
        let expected = [("offline".to_owned(), S::Stalled), ("online".to_owned(), S::Online)];
        assert_eq!(kinds(&mut log, &outage), expected);
    }

    #[test]
    fn a_camera_that_never_came_up_is_offline_at_once() {
        let mut log = CameraLog::default();
        assert_eq!(
            kinds(&mut log, &[(1, S::Connecting), (1, S::Unauthorized)]),
            [("offline".to_owned(), S::Unauthorized)]
        );
    }

    #[test]
    fn an_owner_that_lost_the_camera_is_not_heard() {
        let mut log = CameraLog::default();
        assert_eq!(kinds(&mut log, &[(5, S::Online), (4, S::Stalled)]), []);
    }
}
