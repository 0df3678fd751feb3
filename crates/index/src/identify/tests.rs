//! The stage as a whole, over a real store and a real index, with made-up vectors at measured cosines.

use std::sync::Arc;
use std::time::Duration;

use sightline_stage::{Monotonic, Outbox, Stage};
use sightline_store::{Options, Store, VisitState};
use sightline_wire::service::{MergePeople, NewPerson, NewTemplate, Person};
use sightline_wire::{
    AliasKind, CameraState, EndReason, Event, EventKind, EventRecord, IdentifyInput, Outcome, UnknownId,
};
use tempfile::TempDir;

use super::{Identify, IdentifyConfig};
use crate::decision::Thresholds;
use crate::gallery::SharedGallery;
use crate::metrics::Metrics;
use crate::testing::{EMBEDDER, START, at_cosine, camera, cosine, input, note, rejected, unit, vector, visit_id};

const FACENET: Thresholds = Thresholds { accept: 0.60, unknown: 0.45, margin: 0.08, cluster: 0.65 };
const DLIB: Thresholds = Thresholds { accept: 0.93, unknown: 0.90, margin: 0.015, cluster: 0.945 };
const DIMENSION: usize = 128;

struct House {
    _folder: TempDir,
    store: Store,
    gallery: SharedGallery,
    identify: Identify,
    thresholds: Thresholds,
    elapsed: Duration,
    read: u64,
}

impl House {
    fn new() -> Self {
        Self::with(FACENET, Options::default())
    }

    fn with(thresholds: Thresholds, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(&folder.path().join("s.db"), options).unwrap();
        let (gallery, identify) = Self::start(&store, thresholds);
        Self { _folder: folder, store, gallery, identify, thresholds, elapsed: Duration::ZERO, read: 0 }
    }

    fn start(store: &Store, thresholds: Thresholds) -> (SharedGallery, Identify) {
        let metrics = Arc::new(Metrics::register());
        let gallery = SharedGallery::load(store, EMBEDDER, DIMENSION, metrics.clone()).unwrap();
        let config = IdentifyConfig { thresholds, min_face: 40 };
        let clock = Arc::new(|| START.plus_ns(60_000_000_000));
        let identify = Identify::new(config, store.clone(), gallery.clone(), clock, metrics).unwrap();
        (gallery, identify)
    }

    /// As after a crash: nothing but the file is left.
    fn restart(&mut self) {
        self.store = Store::open(self.store.path()).unwrap();
        (self.gallery, self.identify) = Self::start(&self.store, self.thresholds);
        self.elapsed = Duration::ZERO;
    }

    /// Feeds inputs as one batch; returns the rejections.
    fn feed(&mut self, inputs: &[IdentifyInput]) -> Vec<(usize, String)> {
        let mut out = Outbox::default();
        self.identify.process(inputs, &mut out).unwrap();
        out.take().1
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.elapsed += Duration::from_millis(250);
            self.identify.tick(Monotonic::from_start(self.elapsed), &mut Outbox::default()).unwrap();
        }
    }

    /// Events since the last call.
    fn events(&mut self) -> Vec<EventRecord> {
        let events = self.store.events_after(self.read, 1000).unwrap();
        self.read = events.last().map_or(self.read, EventRecord::seq);
        events
    }

    /// The same, of visits only.
    fn visits(&mut self) -> Vec<Event> {
        let events = self.events().into_iter();
        events.filter_map(|event| if let EventRecord::Visit(event) = event { Some(*event) } else { None }).collect()
    }

    fn enroll(&mut self, name: &str, vectors: &[Vec<f32>]) -> Person {
        let new = NewPerson { name: name.to_owned(), idempotency_key: None };
        let person = self.store.create_person(&new, START).unwrap();
        for vector in vectors {
            let new = NewTemplate {
                person: person.id,
                embedder: EMBEDDER.to_owned(),
                vector: vector.clone(),
                quality: 0.9,
                origin: String::new(),
                idempotency_key: None,
            };
            let template = self.store.add_template(&new, START).unwrap();
            let change = |gallery: &mut crate::gallery::Gallery| {
                gallery.put_person(&person);
                gallery.add_template(template.id, person.id, vector)
            };
            self.gallery.follow(&self.store, change).unwrap();
        }
        person
    }

    /// A whole visit with these vectors; returns the end event.
    fn visit(&mut self, camera: &str, number: u32, vectors: &[Vec<f32>]) -> Event {
        for (index, one) in vectors.iter().enumerate() {
            self.feed(&[input(vector(camera, number, index as u32, one.clone()))]);
        }
        self.feed(&[note(camera, number, 0, vectors.len() as u32, Some(EndReason::Left))]);
        let end = self.visits().pop().unwrap();
        assert_eq!((end.kind, end.id.clone()), (EventKind::End, visit_id(camera, number)));
        end
    }
}

fn kinds(events: &[Event]) -> Vec<(EventKind, Outcome)> {
    events.iter().map(|event| (event.kind, event.outcome)).collect()
}

/// Pictures of one face: all at `spread` to the same direction.
fn looks(face: u64, spread: f32, count: u64) -> Vec<Vec<f32>> {
    (0..count).map(|n| at_cosine(&unit(face, DIMENSION), spread, face * 1000 + n)).collect()
}

#[test]
fn a_known_visitor_is_named_at_the_first_vector_and_the_visit_ends_once() {
    let mut house = House::new();
    let ann = house.enroll("Ann", &looks(1, 0.95, 2));
    let crops = looks(1, 0.9, 3);
    house.feed(&[input(vector("lobby", 1, 0, crops[0].clone()))]);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::New, Outcome::Known)]);
    let event = &events[0];
    assert_eq!(event.subject.as_ref().map(|s| (s.id, s.name.as_str())), Some((ann.id, "Ann")));
    assert_eq!((event.unknown_id, event.runner_up, event.reason.as_deref()), (None, None, None));
    assert_eq!((event.frame.width, event.face.bbox), (1280, [100.0, 100.0, 180.0, 200.0]));
    assert_eq!(event.model.embedder.as_deref(), Some(EMBEDDER));
    assert!(event.score.unwrap() > 0.8);
    house.feed(&[note("lobby", 1, 0, 3, Some(EndReason::Left))]);
    assert_eq!(kinds(&house.visits()), [], "two vectors are still on their way");
    house.feed(&[input(vector("lobby", 1, 1, crops[1].clone())), rejected("lobby", 1, 2)]);
    let events = house.visits();
    assert_eq!(events.last().map(|e| (e.kind, e.outcome)), Some((EventKind::End, Outcome::Known)));
    assert_eq!(events.last().unwrap().reason.as_deref(), Some("left"));
    assert_eq!(events.iter().filter(|e| e.kind == EventKind::End).count(), 1);
    // What comes after the end changes nothing.
    house.feed(&[input(vector("lobby", 1, 7, crops[2].clone())), note("lobby", 1, 9, 9, None)]);
    house.wait(60);
    assert_eq!(house.events(), []);
    let row = house.store.sighting(&visit_id("lobby", 1)).unwrap();
    assert_eq!((row.outcome, row.person, row.open_state), (Some(Outcome::Known), Some(ann.id), None));
}

/// Two different men reach .42 to .53 with FaceNet and, by the same measure of strangers, about .88 to .92 with dlib.
#[test]
fn the_nearest_impostor_is_never_named() {
    for (thresholds, own, impostor) in [(FACENET, 0.85, [0.42, 0.47, 0.53]), (DLIB, 0.97, [0.88, 0.90, 0.92])] {
        for templates in [1, 6] {
            let mut house = House::with(thresholds, Options::default());
            let face = unit(1, DIMENSION);
            let enrolled: Vec<_> = (0..templates).map(|n| at_cosine(&face, own, n)).collect();
            let a = house.enroll("A", &enrolled);
            for (number, score) in impostor.into_iter().enumerate() {
                // As near as that to a template of A. Fused from several equal pictures, and from one.
                let b: Vec<_> = (0..2).map(|n| at_cosine(&enrolled[0], score, 500 + n)).collect();
                for vector in &b {
                    assert!((cosine(vector, &enrolled[0]) - score).abs() < 1e-3);
                }
                for (offset, vectors) in [(0, vec![b[0].clone(); 4]), (100, vec![b[1].clone()])] {
                    let end = house.visit("door", number as u32 + offset, &vectors);
                    assert_ne!(end.outcome, Outcome::Known, "{score}");
                    assert_eq!((end.subject, end.unknown_id.is_some()), (None, true));
                }
            }
            // And A himself is.
            let end = house.visit("door", 900, &vec![at_cosine(&enrolled[0], own, 77); 2]);
            assert_eq!((end.outcome, end.subject.map(|s| s.id)), (Outcome::Known, Some(a.id)));
        }
    }
}

#[test]
fn two_persons_at_the_same_distance_make_it_ambiguous() {
    let mut house = House::new();
    let face = unit(1, DIMENSION);
    let twin = at_cosine(&face, 0.95, 5);
    house.enroll("Ann", std::slice::from_ref(&face));
    house.enroll("Bea", std::slice::from_ref(&twin));
    let between: Vec<f32> = face.iter().zip(&twin).map(|(a, b)| a + b).collect();
    let end = house.visit("door", 1, &[crate::testing::normalised(between)]);
    assert_eq!((end.outcome, end.subject.clone()), (Outcome::Ambiguous, None));
    assert!(end.score.unwrap() > 0.9 && end.runner_up.unwrap() > 0.9);
    assert!(end.unknown_id.is_some(), "ambiguous visitors get an id too");
}

#[test]
fn a_stranger_has_one_id_on_every_camera_and_later() {
    let mut house = House::new();
    let stranger = looks(5, 0.92, 6);
    house.feed(&[input(vector("a", 1, 0, stranger[0].clone()))]);
    assert_eq!(house.visits()[0].unknown_id, None, "one crop is not enough for an id");
    house.feed(&[input(vector("a", 1, 1, stranger[1].clone()))]);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::Update, Outcome::Unknown)]);
    let id = events[0].unknown_id.unwrap();
    // While the first visit goes on, at another camera.
    assert_eq!(house.visit("b", 1, &stranger[2..4]).unknown_id, Some(id));
    house.feed(&[note("a", 1, 0, 2, Some(EndReason::Left))]);
    assert_eq!(house.visits().pop().unwrap().unknown_id, Some(id));
    house.restart();
    // A single crop, given at the end.
    assert_eq!(house.visit("b", 2, &stranger[4..5]).unknown_id, Some(id));
    let other = house.visit("b", 3, &looks(6, 0.92, 2)).unknown_id.unwrap();
    assert_ne!(other, id);
    // Enrolled, the next visit is known; the old id is not given to anybody else.
    let person = house.enroll("Eve", &stranger[..2]);
    let end = house.visit("a", 4, &stranger[4..6]);
    assert_eq!((end.outcome, end.subject.unwrap().id, end.unknown_id), (Outcome::Known, person.id, None));
}

/// Three views in one plane: the middle one halfway between two that have this cosine.
fn left_middle_right(apart: f32) -> [Vec<f32>; 3] {
    let half = ((1.0 + apart) / 2.0).sqrt();
    let middle = unit(9, DIMENSION);
    let left = at_cosine(&middle, half, 1);
    let right = middle.iter().zip(&left).map(|(m, l)| 2.0 * half * m - l).collect();
    [left, middle, crate::testing::normalised(right)]
}

fn aliases(events: &[EventRecord]) -> Vec<(UnknownId, UnknownId)> {
    let alias = |event: &EventRecord| match event {
        EventRecord::Alias(alias) if alias.kind == AliasKind::Unknown => {
            Some((UnknownId(alias.from), UnknownId(alias.into)))
        }
        _ => None,
    };
    events.iter().filter_map(alias).collect()
}

#[test]
fn strangers_that_turn_out_to_be_one_are_joined_by_an_alias() {
    // Below `cluster` in both cases, so they begin as two; only from `accept` on does a visit between them join them.
    for (apart, joins) in [(0.62, true), (0.50, false)] {
        let mut house = House::new();
        let [left, middle, right] = left_middle_right(apart);
        assert!((cosine(&left, &right) - apart).abs() < 1e-3);
        let older = house.visit("a", 1, &vec![left.clone(); 2]).unknown_id.unwrap();
        let younger = house.visit("a", 2, &vec![right.clone(); 2]).unknown_id.unwrap();
        assert_ne!(older, younger);
        // A visit that is going on as the younger stranger, and one that is seen between the two.
        house.feed(&[input(vector("c", 4, 0, right.clone())), input(vector("c", 4, 1, right.clone()))]);
        for (index, one) in [&left, &left, &middle, &middle, &middle, &right, &right].into_iter().enumerate() {
            house.feed(&[input(vector("b", 3, index as u32, one.clone()))]);
        }
        house.visits();
        house.feed(&[note("b", 3, 0, 7, Some(EndReason::Left))]);
        let events = house.events();
        let expected: &[_] = if joins { &[(younger, older)] } else { &[] };
        assert_eq!(aliases(&events), expected);
        let now = if joins { older } else { younger };
        assert_eq!(house.store.sighting(&visit_id("a", 2)).unwrap().unknown, Some(now));
        assert_eq!(house.store.sighting(&visit_id("c", 4)).unwrap().unknown, Some(now));
        if joins {
            // The alias comes first, then the visit that goes on is told anew.
            assert!(matches!(events[0], EventRecord::Alias(_)));
            let told = events.iter().any(|event| {
                matches!(event, EventRecord::Visit(event)
                if event.id == visit_id("c", 4) && event.kind == EventKind::Update && event.unknown_id == Some(older))
            });
            assert!(told, "{events:?}");
        }
        house.restart();
        assert_eq!(house.visit("d", 5, &vec![right.clone(); 2]).unknown_id, Some(now));
    }
}

#[test]
fn an_id_given_too_early_becomes_an_alias_of_the_right_one() {
    let mut house = House::new();
    let face = unit(9, DIMENSION);
    let first = house.visit("a", 1, &vec![face.clone(); 2]).unknown_id.unwrap();
    // Two poor crops first, then good ones.
    let poor = at_cosine(&face, 0.55, 4);
    for index in 0..2 {
        house.feed(&[input(vector("a", 2, index, poor.clone()))]);
    }
    let early = house.visits().pop().unwrap().unknown_id.unwrap();
    assert_ne!(early, first);
    for index in 2..6 {
        house.feed(&[input(vector("a", 2, index, face.clone()))]);
    }
    house.visits();
    house.feed(&[note("a", 2, 0, 6, Some(EndReason::Left))]);
    let events = house.events();
    assert_eq!(aliases(&events), [(early, first)]);
    let Some(EventRecord::Visit(end)) = events.last() else { panic!("{events:?}") };
    assert_eq!((end.kind, end.unknown_id), (EventKind::End, Some(first)));
    house.restart();
    assert_eq!(house.visit("a", 3, &vec![face; 2]).unknown_id, Some(first));
}

#[test]
fn a_stranger_who_comes_often_keeps_a_bounded_number_of_vectors() {
    let mut house = House::new();
    let ids: std::collections::HashSet<_> =
        (0..20).map(|n| house.visit("a", n, &vec![looks(5, 0.95, 20).remove(n as usize); 2]).unknown_id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(house.store.unknown_vectors(EMBEDDER).unwrap().len(), 8);
}

#[test]
fn what_is_redelivered_changes_nothing() {
    let mut house = House::new();
    house.enroll("Ann", &looks(1, 0.95, 1));
    let crops = looks(1, 0.9, 2);
    let inputs = [
        input(vector("a", 1, 0, crops[0].clone())),
        input(vector("a", 1, 1, crops[1].clone())),
        note("a", 1, 0, 2, None),
        camera("a", 7, CameraState::Stalled),
    ];
    // Twice in one batch, again in the next, and again after a crash.
    let twice: Vec<_> = inputs.iter().chain(&inputs).cloned().collect();
    house.feed(&twice);
    let events = house.events();
    assert_eq!(events.len(), 2, "{events:?}");
    let row = house.store.sighting(&visit_id("a", 1)).unwrap();
    house.feed(&inputs);
    house.restart();
    house.feed(&inputs);
    assert_eq!(house.events(), []);
    assert_eq!(house.store.sighting(&visit_id("a", 1)).unwrap(), row);
    let end = [note("a", 1, 1, 2, Some(EndReason::Left))];
    for _ in 0..3 {
        house.feed(&end);
        house.restart();
    }
    assert_eq!(kinds(&house.visits()), [(EventKind::End, Outcome::Known)]);
}

#[test]
fn an_open_visit_survives_a_crash_with_everything_it_had() {
    let run = |crash: bool| {
        let mut house = House::new();
        house.enroll("Ann", &looks(1, 0.95, 1));
        let crops = looks(1, 0.7, 4);
        for (index, one) in crops.iter().enumerate() {
            if crash {
                house.restart();
            }
            house.feed(&[input(vector("a", 1, index as u32, one.clone()))]);
        }
        if crash {
            house.restart();
        }
        house.feed(&[note("a", 1, 0, 4, Some(EndReason::Left))]);
        let mut events = house.visits();
        // Ids of persons are made anew in each run.
        events.iter_mut().for_each(|event| event.subject = None);
        events
    };
    let (straight, crashed) = (run(false), run(true));
    assert!(straight.len() >= 2);
    assert_eq!(straight, crashed);
}

#[test]
fn a_visit_ends_without_its_last_vectors_after_the_deadline() {
    let mut house = House::new();
    house.feed(&[input(vector("a", 1, 0, unit(3, DIMENSION))), note("a", 1, 0, 2, Some(EndReason::CameraStopped))]);
    assert_eq!(kinds(&house.visits()), [(EventKind::New, Outcome::Unknown)]);
    house.wait(59);
    assert_eq!(house.events(), []);
    house.wait(2);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::End, Outcome::Unknown)]);
    assert_eq!(events[0].reason.as_deref(), Some("camera_stopped"));
    assert!(events[0].unknown_id.is_some(), "given at the end");
}

#[test]
fn a_visit_whose_tracker_is_gone_ends_as_owner_lost() {
    let mut house = House::new();
    house.feed(&[input(vector("a", 1, 0, unit(3, DIMENSION)))]);
    house.wait(20);
    house.feed(&[note("a", 1, 0, 2, None)]);
    house.wait(29);
    assert_eq!(kinds(&house.visits()), [(EventKind::New, Outcome::Unknown)]);
    house.wait(2);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::End, Outcome::Unknown)]);
    assert_eq!(events[0].reason.as_deref(), Some("owner_lost"));
    // A machine that slept for an hour has not lost its visits.
    house.feed(&[input(vector("a", 2, 0, unit(4, DIMENSION)))]);
    house.elapsed += Duration::from_secs(3600);
    house.wait(5);
    assert_eq!(house.store.visit_state(&visit_id("a", 2)).unwrap(), VisitState::Open);
}

#[test]
fn faces_too_small_to_be_named_are_not() {
    let mut house = House::new();
    house.enroll("Ann", &looks(1, 0.95, 1));
    // A vector of a face 39 pixels wide, although it looks exactly like Ann.
    let mut tiny = vector("a", 1, 0, looks(1, 0.95, 1).remove(0));
    tiny.bbox.x2 = tiny.bbox.x1 + 39.0;
    house.feed(&[input(tiny), note("a", 1, 0, 1, Some(EndReason::Left))]);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::New, Outcome::TooSmall), (EventKind::End, Outcome::TooSmall)]);
    assert!(events.iter().all(|e| e.subject.is_none() && e.unknown_id.is_none() && e.score.is_none()));
    assert_eq!(events[0].reason.as_deref(), Some("small"));
    // No crop was ever sent: told once it has lasted, and once more as it comes near.
    house.feed(&[note("a", 2, 0, 0, None)]);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::New, Outcome::TooSmall)]);
    assert_eq!((events[0].reason.as_deref(), events[0].model.embedder.as_deref()), (Some("small"), None));
    house.feed(&[input(vector("a", 2, 0, looks(1, 0.95, 1).remove(0)))]);
    assert_eq!(kinds(&house.visits()), [(EventKind::Update, Outcome::Known)]);
}

#[test]
fn poison_and_other_models_vectors_go_to_the_dead_letters() {
    let mut house = House::new();
    let mut other = vector("a", 1, 0, unit(1, DIMENSION));
    other.embedder = "dlib@111111111111".into();
    let nan = vector("a", 1, 1, vec![f32::NAN; DIMENSION]);
    let zero = vector("a", 1, 2, vec![0.0; DIMENSION]);
    let short = vector("a", 1, 3, unit(1, DIMENSION - 1));
    let good = vector("a", 1, 4, unit(1, DIMENSION));
    let batch: Vec<_> = [other, nan, zero, short, good].into_iter().map(input).collect();
    let rejections = house.feed(&batch);
    assert_eq!(rejections.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(rejections[0].1.contains("dlib@111111111111") && rejections[0].1.contains(EMBEDDER), "{}", rejections[0].1);
    // The visit does not wait for them.
    house.feed(&[note("a", 1, 0, 5, Some(EndReason::Left))]);
    assert_eq!(kinds(&house.visits()), [(EventKind::New, Outcome::Unknown), (EventKind::End, Outcome::Unknown)]);
    // Should the dead letter be lost, it is rejected again.
    assert_eq!(house.feed(&batch).len(), 4);
    assert_eq!(house.events(), []);
}

#[test]
fn a_change_of_the_gallery_reaches_visits_that_are_going_on() {
    let mut house = House::new();
    house.feed(&[input(vector("a", 1, 0, unit(3, DIMENSION)))]);
    assert_eq!(kinds(&house.visits()), [(EventKind::New, Outcome::Unknown)]);
    let (cleo, kleo) = (house.enroll("Cleo", &[unit(3, DIMENSION)]), house.enroll("Kleo", &[]));
    house.wait(1);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::Update, Outcome::Known)]);
    let merge = MergePeople { from: cleo.id, into: kleo.id };
    house.store.merge_people(&merge, START).unwrap();
    let change = |gallery: &mut crate::gallery::Gallery| {
        gallery.put_person(&kleo);
        gallery.merge(merge.from, merge.into);
        Ok(())
    };
    house.gallery.follow(&house.store, change).unwrap();
    house.wait(1);
    assert_eq!(house.visits()[0].subject.as_ref().map(|s| s.name.as_str()), Some("Kleo"));
    house.store.remove_person(kleo.id).unwrap();
    house.gallery.follow(&house.store, |gallery| gallery.remove(kleo.id)).unwrap();
    house.wait(1);
    assert_eq!(kinds(&house.visits()), [(EventKind::Update, Outcome::Unknown)]);
}

#[test]
fn a_full_disk_is_a_fault_and_the_batch_takes_effect_once_there_is_room() {
    let mut house = House::with(FACENET, Options { max_pages: Some(48) });
    let mut inputs = Vec::new();
    let fault = loop {
        let number = inputs.len() as u32;
        let next = input(vector("a", number, 0, unit(u64::from(number), DIMENSION)));
        let mut out = Outbox::default();
        let result = house.identify.process(std::slice::from_ref(&next), &mut out);
        inputs.push(next);
        if let Err(fault) = result {
            break fault;
        }
        assert!(inputs.len() < 10_000, "the limit does not hold");
    };
    assert!(fault.0.contains("disk is full"), "{fault}");
    let before = house.store.events_after(0, 10_000).unwrap().len();
    assert_eq!(before, inputs.len() - 1);
    house.restart();
    house.feed(&inputs);
    let events = house.store.events_after(0, 10_000).unwrap();
    assert_eq!(events.len(), inputs.len(), "one `new` for each visit, none twice");
}

#[test]
fn updates_are_told_when_they_matter() {
    let mut house = House::new();
    let face = unit(1, DIMENSION);
    house.enroll("Ann", std::slice::from_ref(&face));
    house.feed(&[input(vector("a", 1, 0, at_cosine(&face, 0.62, 1)))]);
    assert_eq!(kinds(&house.visits()), [(EventKind::New, Outcome::Known)]);
    house.feed(&[input(vector("a", 1, 1, at_cosine(&face, 0.62, 1)))]);
    assert_eq!(house.events(), [], "nothing new");
    house.feed(&[input(vector("a", 1, 2, at_cosine(&face, 0.95, 2)))]);
    let events = house.visits();
    assert_eq!(kinds(&events), [(EventKind::Update, Outcome::Known)]);
    assert!(events[0].score.unwrap() >= 0.62 + FACENET.margin);
}
