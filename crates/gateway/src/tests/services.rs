//! The services behind the gateway: what they are told is in memory, and what they refuse the real ones refuse.

mod gallery;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sightline_stage::Shutdown;
use sightline_stage::bus::Bus;
use sightline_wire::service::{
    AddTemplate, Analyse, AnalyseImage, AnalysedFace, Analysis, Call, CameraKey, CameraStatus, CreateCamera,
    CreatePerson, EventPage, Events, EventsAfter, Failure, FailureKind, GetCamera, GetPerson, ListCameras, ListPeople,
    Merge, NewPerson, NewTemplate, Nothing, Person, PutCamera, RemoveCamera, RemoveEmptyPerson, RemovePerson, Rename,
    Search, SearchPeople,
};
use sightline_wire::{CameraEvent, CameraSpec, CameraState, EventRecord, SourceUrl, Utc};
use tokio::sync::watch;

/// The embedder whose templates the gallery holds.
pub(super) const EMBEDDER: &str = "embedder@1";

/// Everything that the services know.
pub(super) struct World {
    people: Mutex<Vec<Person>>,
    keys: Mutex<HashMap<String, (NewPerson, Person)>>,
    pub(super) templates: Mutex<Vec<NewTemplate>>,
    pub(super) searches: Mutex<Vec<SearchPeople>>,
    cameras: Mutex<Vec<CameraSpec>>,
    events: Mutex<Vec<EventRecord>>,
    newest: watch::Sender<u64>,
    /// Calls for events that wait now, and the most that ever did.
    pub(super) waiting: AtomicUsize,
    pub(super) most_waiting: AtomicUsize,
    /// Analyses begin only while it is true.
    pub(super) open: watch::Sender<bool>,
    /// Analyses under way, waiting for `open` included.
    pub(super) analysing: AtomicUsize,
}

impl Default for World {
    fn default() -> Self {
        Self {
            people: Mutex::default(),
            keys: Mutex::default(),
            templates: Mutex::default(),
            searches: Mutex::default(),
            cameras: Mutex::default(),
            events: Mutex::default(),
            newest: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(0),
            open: watch::Sender::new(true),
            analysing: AtomicUsize::new(0),
        }
    }
}

fn refused<T>(kind: FailureKind, why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(kind, why))
}

impl World {
    /// Serves every call until the shutdown.
    pub(super) async fn serve(self: &Arc<Self>, bus: &Bus, stop: &Shutdown) {
        self.answer::<ListPeople>(bus, stop, |world, asked| Ok(world.people_after(asked))).await;
        self.answer::<GetPerson>(bus, stop, |world, key| world.person(key.id)).await;
        self.answer::<CreatePerson>(bus, stop, Self::create).await;
        self.answer::<Rename>(bus, stop, Self::rename).await;
        self.answer::<Merge>(bus, stop, Self::merge).await;
        self.answer::<RemovePerson>(bus, stop, Self::remove).await;
        self.answer::<RemoveEmptyPerson>(bus, stop, Self::remove_empty).await;
        self.answer::<AddTemplate>(bus, stop, Self::enroll).await;
        self.answer::<Search>(bus, stop, Self::search).await;
        self.answer::<ListCameras>(bus, stop, |world, _| Ok(world.cameras())).await;
        self.answer::<GetCamera>(bus, stop, Self::camera).await;
        self.answer::<CreateCamera>(bus, stop, Self::create_camera).await;
        self.answer::<PutCamera>(bus, stop, Self::put_camera).await;
        self.answer::<RemoveCamera>(bus, stop, Self::remove_camera).await;
        let world = Arc::clone(self);
        let analyse = move |_: AnalyseImage, picture| Arc::clone(&world).analyse(picture);
        bus.serve::<Analyse, _, _>(analyse, stop.clone()).await.unwrap();
        self.serve_events(bus, stop).await;
    }

    pub(super) async fn serve_events(self: &Arc<Self>, bus: &Bus, stop: &Shutdown) {
        let world = Arc::clone(self);
        let events = move |asked, _| Arc::clone(&world).events_after(asked);
        bus.serve::<Events, _, _>(events, stop.clone()).await.unwrap();
    }

    async fn answer<C: Call>(
        self: &Arc<Self>,
        bus: &Bus,
        stop: &Shutdown,
        answer: fn(&Self, C::Request) -> Result<C::Reply, Failure>,
    ) {
        let world = Arc::clone(self);
        let handler = move |request: C::Request, _| {
            let reply = answer(&world, request);
            async move { reply }
        };
        bus.serve::<C, _, _>(handler, stop.clone()).await.unwrap();
    }

    /// A picture is a list of its faces as JSON; `other model` is one that an unknown embedder has looked at.
    async fn analyse(self: Arc<Self>, picture: Bytes) -> Result<Analysis, Failure> {
        self.analysing.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        self.analysing.fetch_sub(1, Ordering::SeqCst);
        let other = &picture[..] == b"other model";
        let faces = match other {
            true => Ok(vec![face(50.0, Some(vec![1.0, 0.0]))]),
            false => serde_json::from_slice::<Vec<AnalysedFace>>(&picture),
        };
        let Ok(faces) = faces else {
            return refused(FailureKind::Invalid, "JPEG or PNG: the first bytes are of neither");
        };
        let embedder = if other { "other@1" } else { EMBEDDER };
        Ok(Analysis { width: 640, height: 480, faces, detector: "finder@1".to_owned(), embedder: embedder.to_owned() })
    }

    fn cameras(&self) -> Vec<CameraStatus> {
        let mut specs = self.cameras.lock().unwrap().clone();
        specs.sort_by(|a, b| a.id.cmp(&b.id));
        let shown = |spec: CameraSpec| CameraStatus {
            spec: CameraSpec { source: SourceUrl::new(spec.source.redacted()), ..spec },
            read_only: false,
            state: None,
            detail: None,
        };
        specs.into_iter().map(shown).collect()
    }

    fn camera(&self, key: CameraKey) -> Result<CameraStatus, Failure> {
        let found = self.cameras().into_iter().find(|camera| camera.spec.id == key.id);
        let missing = || refused(FailureKind::NotFound, format!("camera \"{}\" does not exist", key.id));
        found.map_or_else(missing, Ok)
    }

    fn create_camera(&self, spec: CameraSpec) -> Result<CameraStatus, Failure> {
        match self.cameras().iter().any(|camera| camera.spec.id == spec.id) {
            true => Err(Failure::new(FailureKind::Conflict, "there already is such a camera")),
            false => self.put_camera(spec),
        }
    }

    fn put_camera(&self, spec: CameraSpec) -> Result<CameraStatus, Failure> {
        if let Err(why) = spec.check() {
            return refused(FailureKind::Invalid, why);
        }
        let id = spec.id.clone();
        let mut cameras = self.cameras.lock().unwrap();
        cameras.retain(|other| other.id != id);
        cameras.push(spec);
        drop(cameras);
        self.camera(CameraKey { id })
    }

    fn remove_camera(&self, key: CameraKey) -> Result<Nothing, Failure> {
        self.camera(CameraKey { id: key.id.clone() })?;
        self.cameras.lock().unwrap().retain(|spec| spec.id != key.id);
        Ok(Nothing {})
    }

    /// The camera with its secret, as ingest would get it.
    pub(super) fn source(&self, id: &str) -> String {
        let cameras = self.cameras.lock().unwrap();
        cameras.iter().find(|spec| spec.id.as_str() == id).unwrap().source.expose().to_owned()
    }

    /// Appends an event; returns its `seq`.
    pub(super) fn happen(&self) -> u64 {
        let mut events = self.events.lock().unwrap();
        let seq = events.len() as u64 + 1;
        events.push(EventRecord::Camera(CameraEvent {
            schema: CameraEvent::SCHEMA.to_owned(),
            seq,
            kind: "offline".to_owned(),
            camera: "lobby".parse().unwrap(),
            state: CameraState::Stalled,
            at: Utc::from_unix_ns(1_764_000_000_123_000_000),
            publish_ts: Utc::from_unix_ns(1_764_000_000_456_000_000),
            detail: format!("number {seq}\nand a second line"),
        }));
        drop(events);
        self.newest.send_replace(seq);
        seq
    }

    async fn events_after(self: Arc<Self>, asked: EventsAfter) -> Result<EventPage, Failure> {
        let mut newest = self.newest.subscribe();
        let page = self.page(&asked);
        if !page.events.is_empty() || asked.wait_ms == 0 {
            return Ok(page);
        }
        let now = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_waiting.fetch_max(now, Ordering::SeqCst);
        let come = newest.wait_for(|newest| *newest > asked.after);
        let come = tokio::time::timeout(Duration::from_millis(asked.wait_ms.into()), come).await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        drop(come);
        Ok(self.page(&asked))
    }

    fn page(&self, asked: &EventsAfter) -> EventPage {
        let events = self.events.lock().unwrap();
        let limit = asked.limit.clamp(1, 1000) as usize;
        let after = events.iter().filter(|event| event.seq() > asked.after);
        EventPage { events: after.take(limit).cloned().collect(), newest: events.len() as u64 }
    }
}

/// A face of a picture, as wide as stated.
pub(super) fn face(width: f32, vector: Option<Vec<f32>>) -> AnalysedFace {
    AnalysedFace {
        bbox: [10.0, 20.0, 10.0 + width, 20.0 + width],
        landmarks: [[12.0, 22.0], [14.0, 22.0], [13.0, 23.0], [12.0, 24.0], [14.0, 24.0]],
        score: 0.97,
        quality: 0.8,
        flaw: None,
        vector,
    }
}

/// The same with a flaw.
pub(super) fn flawed(flaw: &str, vector: Option<Vec<f32>>) -> AnalysedFace {
    AnalysedFace { flaw: Some(flaw.to_owned()), ..face(30.0, vector) }
}

/// The bytes of a picture with these faces.
pub(super) fn picture(faces: &[AnalysedFace]) -> Vec<u8> {
    serde_json::to_vec(faces).unwrap()
}
