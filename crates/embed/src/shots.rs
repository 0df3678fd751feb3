//! The best picture of each visit, on request: handed over by the stage, encoded and written by a thread of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use sightline_vision::{Subsampling, encode_rgb};
use sightline_wire::{Crop, VisitId};

/// Crops that may wait for the disk; more are left out, because nobody's recognition may wait for it.
const WAITING: usize = 32;

/// Visits whose best quality is remembered.
const REMEMBERED: usize = 10_000;

/// JPEG quality: faces stay clear, 10 to 20 KB each.
const QUALITY: u8 = 90;

/// Writes `<visit>.jpg` into a folder whenever a visit's picture is better than before.
#[derive(Clone, Debug)]
pub struct BestShots(SyncSender<Crop>);

impl BestShots {
    /// Makes the folder and starts the thread, which ends with the last clone.
    ///
    /// # Errors
    /// When the folder cannot be made or no thread be started.
    pub fn start(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (sender, crops) = sync_channel::<Crop>(WAITING);
        let mut writer = Writer { folder: folder.to_owned(), best: HashMap::new() };
        std::thread::Builder::new().name("best-shots".to_owned()).spawn(move || {
            for crop in crops {
                writer.take(&crop);
            }
        })?;
        Ok(Self(sender))
    }

    pub(crate) fn offer(&self, crop: &Crop) {
        if let Err(TrySendError::Full(_)) = self.0.try_send(crop.clone()) {
            tracing::debug!(crop = %crop.id, "the disk is too slow for this best shot");
        }
    }
}

struct Writer {
    folder: PathBuf,
    best: HashMap<VisitId, f32>,
}

impl Writer {
    fn take(&mut self, crop: &Crop) {
        let visit = &crop.head.visit;
        if self.best.get(visit).is_some_and(|best| *best >= crop.quality.score) {
            return;
        }
        if let Err(error) = self.write(crop) {
            tracing::warn!(visit = %visit, error, "a best shot cannot be written");
            return;
        }
        if self.best.len() >= REMEMBERED {
            self.best.clear();
        }
        self.best.insert(visit.clone(), crop.quality.score);
    }

    fn write(&self, crop: &Crop) -> Result<(), String> {
        let jpeg = encode_rgb(&crop.picture.image, QUALITY, Subsampling::Full).map_err(|error| error.to_string())?;
        let file = self.folder.join(format!("{}.jpg", crop.head.visit));
        let beside = file.with_extension("part");
        std::fs::write(&beside, jpeg).and_then(|()| std::fs::rename(&beside, &file)).map_err(|error| error.to_string())
    }
}
