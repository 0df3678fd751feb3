//! A ledger of crops: the test puts them on the queue itself, so that it knows every one that was stored, and finds in the
//! store of the gallery's owner which of them took effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use sightline_stage::bus::{Bus, NatsConfig};
use sightline_store::Store;
use sightline_testkit::clip;
use sightline_vision::{Picture, Point, Quality, Rect, cut_face, decode_still};
use sightline_wire::{
    ClockSource, Crop, CropId, CropPicture, EndReason, FrameId, FrameSize, IdentifyInput, Stamp, Utc, VisitHead,
    VisitId, VisitNote,
};

use crate::{PATIENCE, Site, assert_one_life_each, frames_of, visits, wait_until};

/// Between two crops: about what four busy cameras send.
const PACE: Duration = Duration::from_millis(10);

/// Every visit has so many crops.
const CROPS: u32 = 4;

/// Crops that are being put on the queue by a thread.
pub struct Ledger {
    sending: JoinHandle<Result<Stored>>,
}

/// What was stored.
#[derive(Debug)]
pub struct Stored {
    visits: Vec<VisitId>,
    crops: Vec<CropId>,
}

impl Ledger {
    /// Begins to send `count` visits to a site over NATS. The face is a real one, found by the site itself.
    ///
    /// # Errors
    /// When the site has no broker or does not find the face.
    pub fn start(site: &Site, count: usize) -> Result<Self> {
        let url = site.nats.as_ref().context("a ledger needs a broker")?.url();
        let face = face(site)?;
        let sending = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            runtime.block_on(send(url, face, count))
        });
        Ok(Self { sending })
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// When something could not be sent.
    pub fn finish(self) -> Result<Stored> {
        self.sending.join().map_err(|_| anyhow!("the sender panicked"))?
    }
}

impl Stored {
    /// Waits until every visit has ended, stops the site and checks that every crop took effect, once.
    ///
    /// # Errors
    /// With what is missing.
    ///
    /// # Panics
    /// When an event came twice.
    pub fn check(&self, mut site: Site) -> Result<()> {
        let ended = |events: &[Value]| -> BTreeSet<String> {
            let ends = visits(events).filter(|event| event["type"] == "end");
            ends.filter_map(|event| event["id"].as_str().map(str::to_owned)).collect()
        };
        let events =
            site.wait_for_events("the end of every visit", |events| ended(events).len() == self.visits.len())?;
        assert_one_life_each(&events);
        ensure!(self.visits.iter().all(|visit| ended(&events).contains(visit.as_str())), "other visits than were sent");
        for event in visits(&events).filter(|event| event["type"] == "end") {
            ensure!(event["reason"] == "left" && event["outcome"] == "unknown", "a visit ended otherwise: {event}");
        }
        let url = site.nats.as_ref().context("a ledger needs a broker")?.url();
        mirrored(url, events.len() as u64)?;
        let late = site.metric("sightline_visits_late_vectors_total", "")?;
        ensure!(late == 0.0, "{late} vectors came after their visits had been closed without them");
        let dead = site.metric("sightline_dead_letters_total", "")?;
        ensure!(dead == 0.0, "{dead} dead letters");
        let database = site.database();
        site.fleet.stop()?;
        let ids: Vec<String> = self.crops.iter().map(|crop| format!("vector/{crop}")).collect();
        let effects = Store::open(&database)?.processed(&ids)?;
        let lost: Vec<&String> =
            ids.iter().zip(effects).filter(|(_, took_effect)| !took_effect).map(|(id, _)| id).collect();
        ensure!(lost.is_empty(), "{} of {} stored crops took no effect: {lost:?}", lost.len(), ids.len());
        Ok(())
    }
}

/// Waits until the broker's copy of the event log has every event once.
fn mirrored(url: String, events: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mirror = runtime.block_on(async {
        let bus = Bus::nats(NatsConfig { url, credentials: None, site: "test".to_owned() }).await?;
        bus.mirror().await
    })?;
    let mirror = mirror.context("a broker without a stream of events")?;
    let newest = || runtime.block_on(async { anyhow::Ok((mirror.newest().await?, mirror.len().await?)) });
    wait_until("the mirror", PATIENCE, || newest().is_ok_and(|newest| newest == (events, events))).map(|_| ())
}

/// A picture and the face in it.
struct Sample {
    jpeg: Vec<u8>,
    bbox: Rect,
    landmarks: [Point; 5],
    detector: String,
}

fn face(site: &Site) -> Result<Sample> {
    let jpeg = frames_of(&clip("franck")?, &[2.0])?.remove(0);
    let (status, text) = site.upload("/api/v1/recognize", &jpeg)?;
    ensure!(status == 200, "{status}: {text}");
    let answer: Value = serde_json::from_str(&text)?;
    let face = &answer["faces"][0];
    let bbox: [f32; 4] = serde_json::from_value(face["box"].clone())?;
    let landmarks: [[f32; 2]; 5] = serde_json::from_value(face["landmarks"].clone())?;
    Ok(Sample {
        jpeg,
        bbox: Rect::new(bbox[0], bbox[1], bbox[2], bbox[3]),
        landmarks: landmarks.map(|[x, y]| Point { x, y }),
        detector: answer["model"]["detector"].as_str().context("no detector")?.to_owned(),
    })
}

async fn send(url: String, face: Sample, count: usize) -> Result<Stored> {
    let bus = Bus::nats(NatsConfig { url, credentials: None, site: "test".to_owned() }).await?;
    let (crops, notes) = (bus.outlet::<Crop>(), bus.outlet::<IdentifyInput>());
    let image = decode_still(&face.jpeg, 10_000_000)?;
    let cut = cut_face(Picture::Rgb(&image), &face.bbox, &face.landmarks)?;
    let picture = CropPicture { image: Arc::new(cut.image), face: cut.face, landmarks: cut.landmarks };
    let size = FrameSize { width: image.width(), height: image.height() };
    let quality = Quality { score: 0.8, sharpness: 100.0, frontality: 0.9 };
    let detector: Arc<str> = face.detector.into();
    let mut stored = Stored { visits: Vec::new(), crops: Vec::new() };
    for number in 0..count {
        let now = Utc::now();
        let stamp = Stamp { capture: now, clock: ClockSource::Arrival, pts_ns: 0 };
        let frame = FrameId { camera: format!("ledger-{}", number % 4).parse()?, epoch: 1, seq: number as u64 };
        let visit = VisitId::new(&frame, 0);
        let head = VisitHead { visit: visit.clone(), camera: frame.camera, first_seen: now, tracker: "ledger".into() };
        for index in 0..CROPS {
            let id = CropId { visit: visit.clone(), index };
            let (head, detector, picture) = (head.clone(), Arc::clone(&detector), picture.clone());
            let crop =
                Crop { id: id.clone(), head, stamp, size, bbox: face.bbox, score: 0.9, quality, detector, picture };
            crops.publish(crop).await?;
            stored.crops.push(id);
            tokio::time::sleep(PACE).await;
        }
        let note = VisitNote {
            head,
            note: 0,
            last_seen: stamp,
            crops_sent: CROPS,
            size,
            best_box: face.bbox,
            best_score: 0.9,
            best_quality: quality,
            flaw: None,
            detector: Arc::clone(&detector),
            end: Some(EndReason::Left),
        };
        notes.publish(IdentifyInput::Note(Box::new(note))).await?;
        stored.visits.push(visit);
    }
    Ok(stored)
}
