use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sightline_stage::Shutdown;
use sightline_stage::bus::{Bus, NatsConfig};
use sightline_stage::secret::{SealKey, is_sealed, key_of};
use sightline_stage::service::ServiceClient;
use sightline_store::Store;
use sightline_testkit::NatsServer;
use sightline_wire::service::{
    AddTemplate, CameraKey, CameraStatus, CreateCamera, CreatePerson, Events, EventsAfter, FailureKind, FailureReason,
    GetCamera, GetPerson, ListCameras, ListPeople, Merge, MergePeople, NewPerson, NewTemplate, Nothing, PeopleAfter,
    PeoplePage, Person, PersonKey, PutCamera, RemoveCamera, RemoveEmptyPerson, RemovePerson, Rename, RenamePerson,
    Search, SearchPeople,
};
use sightline_wire::{CameraSpec, Outcome, PersonId};

use super::{Desk, serve};
use crate::decision::Thresholds;
use crate::gallery::SharedGallery;
use crate::metrics::Metrics;
use crate::testing::{EMBEDDER, START, at_cosine, unit};

const DIMENSION: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

struct Office {
    _folder: tempfile::TempDir,
    bus: Bus,
    client: ServiceClient,
    store: Store,
}

/// `client.call`, without an attachment.
macro_rules! call {
    ($office:expr, $call:ty, $request:expr) => {
        $office.client.call::<$call>(&$request, Bytes::new(), PATIENCE).await
    };
}

fn spec(id: &str, source: &str) -> CameraSpec {
    serde_json::from_value(serde_json::json!({"id": id, "source": source})).unwrap()
}

async fn open() -> Office {
    let bus = Bus::memory();
    open_with(bus.clone(), bus).await
}

/// The desired cameras may be on a bus of their own, to be taken away.
async fn open_with(bus: Bus, cameras: Bus) -> Office {
    open_in(tempfile::tempdir().unwrap(), bus, cameras).await
}

/// With what is in the folder already.
async fn open_in(folder: tempfile::TempDir, bus: Bus, cameras: Bus) -> Office {
    let store = Store::open(&folder.path().join("s.db")).unwrap();
    let metrics = Arc::new(Metrics::register());
    let desk = Desk {
        gallery: SharedGallery::load(&store, EMBEDDER, DIMENSION, metrics.clone()).unwrap(),
        store: store.clone(),
        thresholds: Thresholds { accept: 0.60, unknown: 0.45, margin: 0.08, cluster: 0.65 },
        clock: Arc::new(|| START),
        metrics,
        cameras: cameras.table("cameras").await.unwrap(),
        configured: vec![spec("door", "rtsp://viewer:${DOOR}@10.0.0.1/a")],
        key: SealKey::load_or_create(&folder.path().join("key")).unwrap(),
        camera_changes: tokio::sync::Mutex::default(),
        cameras_behind: tokio::sync::Notify::new(),
        gallery_changes: std::sync::Mutex::default(),
    };
    serve(&bus, desk, Shutdown::new()).await.unwrap();
    Office { client: ServiceClient::new(&bus), bus, store, _folder: folder }
}

async fn person(office: &Office, name: &str) -> Person {
    call!(office, CreatePerson, NewPerson { name: name.to_owned(), idempotency_key: None }).unwrap()
}

fn template(person: PersonId, vector: Vec<f32>) -> NewTemplate {
    let (embedder, origin) = (EMBEDDER.to_owned(), "a.jpg".to_owned());
    NewTemplate { person, embedder, vector, quality: 0.9, origin, idempotency_key: None }
}

fn look_up(vector: Vec<f32>) -> SearchPeople {
    SearchPeople { embedder: EMBEDDER.to_owned(), vectors: vec![vector], k: 3 }
}

#[tokio::test]
async fn an_enrolled_person_is_found_at_once_and_a_removed_one_never_again() {
    let office = open().await;
    let (ann, bob) = (person(&office, "Ann").await, person(&office, "Bob").await);
    call!(office, AddTemplate, template(ann.id, unit(1, DIMENSION))).unwrap();
    call!(office, AddTemplate, template(bob.id, unit(2, DIMENSION))).unwrap();
    let found = call!(office, Search, look_up(at_cosine(&unit(1, DIMENSION), 0.9, 7))).unwrap().remove(0);
    assert_eq!((found.outcome, found.candidates[0].name.as_str()), (Outcome::Known, "Ann"));
    assert!((found.candidates[0].score - 0.9).abs() < 1e-3 && found.candidates.len() == 2);
    call!(office, RemovePerson, PersonKey { id: ann.id }).unwrap();
    let found = call!(office, Search, look_up(unit(1, DIMENSION))).unwrap().remove(0);
    assert_eq!((found.outcome, found.candidates.len()), (Outcome::Unknown, 1));
    assert_eq!(call!(office, GetPerson, PersonKey { id: ann.id }).unwrap_err().kind, FailureKind::NotFound);
    assert_eq!(office.store.list_people().unwrap().len(), 1);
}

#[tokio::test]
async fn names_are_changed_and_people_joined() {
    let office = open().await;
    let (ann, bob) = (person(&office, "Ann").await, person(&office, "Bob").await);
    call!(office, AddTemplate, template(ann.id, unit(1, DIMENSION))).unwrap();
    let taken = call!(office, Rename, RenamePerson { id: bob.id, name: "Ann".to_owned() }).unwrap_err();
    assert_eq!((taken.kind, taken.reason), (FailureKind::Conflict, Some(FailureReason::NameTaken)));
    call!(office, Rename, RenamePerson { id: ann.id, name: "Anna".to_owned() }).unwrap();
    let found = call!(office, Search, look_up(unit(1, DIMENSION))).unwrap().remove(0);
    assert_eq!(found.candidates[0].name, "Anna");
    let one = call!(office, Merge, MergePeople { from: ann.id, into: bob.id }).unwrap();
    assert_eq!((one.id, one.templates), (bob.id, 1));
    let found = call!(office, Search, look_up(unit(1, DIMENSION))).unwrap().remove(0);
    assert_eq!(found.candidates[0].name, "Bob");
    assert_eq!(people(&office, "", 10).await.people.len(), 1);
}

#[tokio::test]
async fn a_face_that_would_be_taken_for_somebody_else_is_told() {
    let office = open().await;
    let (ann, bob) = (person(&office, "Ann").await, person(&office, "Bob").await);
    let face = unit(1, DIMENSION);
    let enroll = async |person: &Person, vector| call!(office, AddTemplate, template(person.id, vector)).unwrap();
    assert_eq!(enroll(&ann, face.clone()).await.resembles, None, "nobody else is enrolled");
    // From 0.60 on a face is accepted as somebody's.
    assert_eq!(enroll(&bob, at_cosine(&face, 0.55, 7)).await.resembles, None);
    let other = enroll(&bob, at_cosine(&face, 0.65, 8)).await.resembles.unwrap();
    assert_eq!((other.id, other.name.as_str()), (ann.id, "Ann"));
    assert!((other.score - 0.65).abs() < 1e-3, "{other:?}");
    // However near the person's own templates are.
    assert_eq!(enroll(&bob, face.clone()).await.resembles.map(|other| other.id), Some(ann.id));
    assert_eq!(enroll(&ann, face).await.resembles.map(|other| other.id), Some(bob.id));
    assert_eq!(enroll(&ann, unit(9, DIMENSION)).await.resembles, None);
}

#[tokio::test]
async fn whoever_is_to_be_removed_only_empty_stays_with_templates() {
    let office = open().await;
    let (ann, bob) = (person(&office, "Ann").await, person(&office, "Bob").await);
    call!(office, AddTemplate, template(bob.id, unit(2, DIMENSION))).unwrap();
    let key = |person: &Person| PersonKey { id: person.id };
    call!(office, RemoveEmptyPerson, key(&ann)).unwrap();
    assert_eq!(call!(office, RemoveEmptyPerson, key(&ann)).unwrap_err().kind, FailureKind::NotFound);
    let refused = call!(office, RemoveEmptyPerson, key(&bob)).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Conflict, "{refused}");
    assert_eq!(call!(office, GetPerson, PersonKey { id: bob.id }).unwrap().templates, 1);
    assert_eq!(call!(office, Search, look_up(unit(2, DIMENSION))).unwrap()[0].candidates[0].name, "Bob");
}

async fn people(office: &Office, after: &str, limit: u32) -> PeoplePage {
    call!(office, ListPeople, PeopleAfter { after: after.to_owned(), limit, name: None }).unwrap()
}

#[tokio::test]
async fn people_are_told_page_by_page_and_never_all_at_once() {
    let office = open().await;
    for number in 0..1002 {
        let new = NewPerson { name: format!("Person {number:04}"), idempotency_key: None };
        office.store.create_person(&new, START).unwrap();
    }
    let (mut after, mut names) = (String::new(), Vec::new());
    loop {
        let page = people(&office, &after, 250).await;
        assert!(page.people.len() <= 250);
        names.extend(page.people.into_iter().map(|person| person.name));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(names, (0..1002).map(|number| format!("Person {number:04}")).collect::<Vec<_>>());
    // The last page may be full; whatever is asked for, there are bounds.
    assert_eq!(people(&office, "Person 0751", 250).await.next, None);
    assert_eq!(people(&office, "", u32::MAX).await.people.len(), 1000);
    assert_eq!(people(&office, "", 0).await.people.len(), 1);
    let named = |name: &str| PeopleAfter { after: String::new(), limit: 10, name: Some(name.to_owned()) };
    let found = call!(office, ListPeople, named("Person 0815")).unwrap();
    assert_eq!((found.people.len(), found.people[0].name.as_str(), found.next), (1, "Person 0815", None));
    assert!(call!(office, ListPeople, named("Person")).unwrap().people.is_empty());
}

#[tokio::test]
async fn a_repeated_call_does_not_bring_an_old_name_back() {
    let office = open().await;
    let new = NewPerson { name: "Ann".to_owned(), idempotency_key: Some("k".to_owned()) };
    let ann = call!(office, CreatePerson, new.clone()).unwrap();
    call!(office, AddTemplate, template(ann.id, unit(1, DIMENSION))).unwrap();
    call!(office, Rename, RenamePerson { id: ann.id, name: "Anna".to_owned() }).unwrap();
    assert_eq!(call!(office, CreatePerson, new).unwrap().id, ann.id);
    let found = call!(office, Search, look_up(unit(1, DIMENSION))).unwrap();
    assert_eq!(found[0].candidates[0].name, "Anna");
}

#[tokio::test]
async fn templates_that_cannot_be_compared_are_refused() {
    let office = open().await;
    let ann = person(&office, "Ann").await;
    let kind = |new: NewTemplate| {
        let office = &office;
        async move { call!(office, AddTemplate, new).unwrap_err() }
    };
    let mut nan = unit(1, DIMENSION);
    nan[3] = f32::NAN;
    assert_eq!(kind(template(ann.id, nan)).await.kind, FailureKind::Invalid);
    assert_eq!(kind(template(ann.id, vec![0.0; DIMENSION])).await.kind, FailureKind::Invalid);
    assert_eq!(kind(template(ann.id, unit(1, 9))).await.kind, FailureKind::Invalid);
    assert_eq!(kind(template(PersonId::generate(), unit(1, DIMENSION))).await.kind, FailureKind::NotFound);
    let other = NewTemplate { embedder: "dlib@0".to_owned(), ..template(ann.id, unit(1, DIMENSION)) };
    let refused = kind(other).await;
    assert_eq!((refused.kind, refused.reason), (FailureKind::Conflict, Some(FailureReason::OtherModel)));
    assert!(refused.message.contains("models.profile"), "{}", refused.message);
    let other = SearchPeople { embedder: "dlib@0".to_owned(), ..look_up(unit(1, DIMENSION)) };
    assert_eq!(call!(office, Search, other).unwrap_err().kind, FailureKind::Conflict);
}

#[tokio::test]
async fn the_same_key_enrolls_once() {
    let office = open().await;
    let ann = person(&office, "Ann").await;
    let new = NewTemplate { idempotency_key: Some("k".to_owned()), ..template(ann.id, unit(1, DIMENSION)) };
    let first = call!(office, AddTemplate, new.clone()).unwrap();
    assert_eq!(call!(office, AddTemplate, new.clone()).unwrap(), first);
    let renamed = call!(office, AddTemplate, NewTemplate { origin: "b.jpg".to_owned(), ..new }).unwrap_err();
    assert_eq!((renamed.kind, renamed.reason), (FailureKind::Conflict, Some(FailureReason::KeyReused)));
    assert_eq!(call!(office, GetPerson, PersonKey { id: ann.id }).unwrap().templates, 1);
}

#[tokio::test]
async fn waiting_for_events_ends_with_the_first_or_the_wait() {
    let office = open().await;
    let asked = EventsAfter { after: 0, limit: 10, wait_ms: 100 };
    let began = tokio::time::Instant::now();
    assert!(call!(office, Events, asked).unwrap().events.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(100));
    let (ann, bob) = (person(&office, "Ann").await, person(&office, "Bob").await);
    let store = office.store.clone();
    let merging = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(200));
        store.merge_people(&MergePeople { from: ann.id, into: bob.id }, START).unwrap()
    });
    let page = call!(office, Events, EventsAfter { after: 0, limit: 10, wait_ms: 4000 }).unwrap();
    assert_eq!((page.events.len(), page.events[0].seq()), (1, page.newest));
    assert!(began.elapsed() < Duration::from_secs(3));
    merging.await.unwrap();
}

async fn cameras(office: &Office) -> Vec<CameraStatus> {
    call!(office, ListCameras, Nothing {}).unwrap()
}

#[tokio::test]
async fn configured_cameras_are_read_only_and_published() {
    let office = open().await;
    let listed = cameras(&office).await;
    assert!(listed[0].read_only && listed[0].state.is_none());
    assert_eq!(listed[0].spec.source.expose(), "rtsp://viewer:***@10.0.0.1/a");
    let refused = call!(office, PutCamera, spec("door", "test://")).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Conflict);
    let key = CameraKey { id: "door".parse().unwrap() };
    assert_eq!(call!(office, RemoveCamera, key).unwrap_err().kind, FailureKind::Conflict);
    let table = office.bus.table::<CameraSpec>("cameras").await.unwrap();
    assert!(table.get("door").await.unwrap().is_some());
}

#[tokio::test]
async fn passwords_are_sealed_kept_and_never_sent_elsewhere() {
    let office = open().await;
    let table = office.bus.table::<CameraSpec>("cameras").await.unwrap();
    let added = call!(office, CreateCamera, spec("yard", "rtsp://u:s3cret@10.0.0.2/a")).unwrap();
    assert_eq!(call!(office, CreateCamera, spec("yard", "test://")).unwrap_err().kind, FailureKind::Conflict);
    assert_eq!(added.spec.source.expose(), "rtsp://u:***@10.0.0.2/a");
    let stored = office.store.list_cameras().unwrap().remove(0);
    let published = table.get("yard").await.unwrap().unwrap();
    for text in [stored.source.expose(), published.source.expose()] {
        assert!(is_sealed(text) && !text.contains("s3cret"), "{text}");
    }
    let changed = CameraSpec { fps: 2.0, ..added.spec };
    assert_eq!(call!(office, PutCamera, changed).unwrap().spec.fps, 2.0);
    let key = SealKey::load_or_create(&office._folder.path().join("key")).unwrap();
    let published = table.get("yard").await.unwrap().unwrap();
    assert_eq!(key.open(published.source.expose()).unwrap(), "rtsp://u:s3cret@10.0.0.2/a");
    let elsewhere = call!(office, PutCamera, spec("yard", "rtsp://u:***@10.6.6.6/a")).unwrap_err();
    assert_eq!(elsewhere.kind, FailureKind::Invalid);
    let reference = call!(office, PutCamera, spec("x", "rtsp://u:${HOME}@10.6.6.6/a")).unwrap_err();
    assert_eq!(reference.kind, FailureKind::Invalid);
    call!(office, RemoveCamera, CameraKey { id: "yard".parse().unwrap() }).unwrap();
    assert!(table.get("yard").await.unwrap().is_none());
    let gone = call!(office, GetCamera, CameraKey { id: "yard".parse().unwrap() }).unwrap_err();
    assert_eq!(gone.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn what_is_shown_of_a_source_that_cannot_be_opened_never_replaces_it() {
    let office = open().await;
    let other_key = SealKey::load_or_create(&office._folder.path().join("other")).unwrap();
    office.store.put_camera(&spec("roof", &other_key.seal("rtsp://u:s3cret@10.0.0.3/a"))).unwrap();
    let stored = office.store.list_cameras().unwrap();
    let shown = call!(office, GetCamera, CameraKey { id: "roof".parse().unwrap() }).unwrap().spec;
    let refused = call!(office, PutCamera, CameraSpec { fps: 2.0, ..shown.clone() }).unwrap_err();
    assert!(refused.kind == FailureKind::Invalid && refused.message.contains("secret_key"), "{refused}");
    assert_eq!(office.store.list_cameras().unwrap(), stored);
    let source = spec("roof", "rtsp://u:s3cret@10.0.0.3/a").source;
    call!(office, PutCamera, CameraSpec { source, ..shown }).unwrap();
}

#[tokio::test]
async fn what_was_sealed_before_keys_had_names_is_published_with_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let key = SealKey::load_or_create(&folder.path().join("key")).unwrap();
    let others = SealKey::load_or_create(&folder.path().join("other")).unwrap();
    let source = "rtsp://u:s3cret@10.0.0.3/a";
    let older = |key: &SealKey| key.seal(source).rsplit_once('.').unwrap().0.to_owned();
    let (mine, theirs) = (spec("roof", &older(&key)), spec("yard", &older(&others)));
    let store = Store::open(&folder.path().join("s.db")).unwrap();
    let bus = Bus::memory();
    let table = bus.table::<CameraSpec>("cameras").await.unwrap();
    for spec in [&mine, &theirs] {
        store.put_camera(spec).unwrap();
        table.put(spec.id.as_str(), spec).await.unwrap();
    }
    drop(store);
    let office = open_in(folder, bus.clone(), bus.clone()).await;
    let published = table.get("roof").await.unwrap().unwrap();
    assert_eq!(key_of(published.source.expose()), Some(key.fingerprint().as_str()));
    assert_eq!(key.open(published.source.expose()).unwrap(), source);
    // Of what cannot be opened nobody knows more.
    assert_eq!(table.get("yard").await.unwrap(), Some(theirs));
    let shown = call!(office, GetCamera, CameraKey { id: "roof".parse().unwrap() }).unwrap();
    assert_eq!(shown.spec.source.expose(), "rtsp://u:***@10.0.0.3/a");
    // It is not published anew for nothing.
    let Office { _folder: folder, .. } = office;
    open_in(folder, Bus::memory(), bus).await;
    assert_eq!(table.get("roof").await.unwrap(), Some(published));
}

/// Waits until the table of desired cameras has these and no others.
async fn published(bus: &Bus, wanted: &[&str]) {
    let table = bus.table::<CameraSpec>("cameras").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        // Until the broker is back there is no answer.
        let found = match &table {
            Ok(table) => table.all().await.map(|all| all.into_keys().collect::<Vec<_>>()).ok(),
            Err(_) => None,
        };
        if found.as_ref().is_some_and(|found| found == wanted) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_change_that_the_broker_missed_is_published_when_it_is_back() {
    let mut server = NatsServer::start().unwrap();
    let config = NatsConfig { url: server.url(), credentials: None, site: "test".to_owned() };
    let broker = Bus::nats(config).await.unwrap();
    let office = open_with(Bus::memory(), broker.clone()).await;
    call!(office, CreateCamera, spec("yard", "test://")).unwrap();
    published(&broker, &["door", "yard"]).await;

    server.kill().unwrap();
    // Only the store has these. What the client of the broker still holds and sends later is of the camera below alone.
    office.store.put_camera(&spec("roof", "test://")).unwrap();
    office.store.remove_camera(&"yard".parse().unwrap()).unwrap();
    // Longer than the broker is waited for.
    let patience = Duration::from_secs(30);
    let missed =
        office.client.call::<CreateCamera>(&spec("lobby", "test://"), Bytes::new(), patience).await.unwrap_err();
    assert_eq!(missed.kind, FailureKind::Unavailable, "{missed}");
    server.restart().unwrap();
    published(&broker, &["door", "lobby", "roof"]).await;
}
