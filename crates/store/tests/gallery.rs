//! People and templates.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

mod common;

use common::{NOW, new_store, person, sighting, template, unit};
use sightline_store::{GalleryModel, IdentifyBatch, Store, StoreError};
use sightline_wire::service::{MergePeople, NewPerson};
use sightline_wire::{AliasKind, EventRecord, PersonId};

fn vectors(store: &Store) -> Vec<(u64, PersonId, Vec<f32>)> {
    let mut found = Vec::new();
    store
        .for_each_template(|row| {
            found.push((row.id, row.person, row.vector.to_vec()));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    found
}

#[test]
fn people_are_created_listed_renamed_and_removed() {
    let (_folder, store) = new_store();
    let (zoe, adam) = (person(&store, "Zoe"), person(&store, "  Adam "));
    assert_eq!(adam.name, "Adam");
    let names = |store: &Store| store.list_people().unwrap().into_iter().map(|p| p.name).collect::<Vec<_>>();
    assert_eq!(names(&store), ["Adam", "Zoe"]);
    assert_eq!(store.get_person(zoe.id).unwrap(), zoe);
    assert_eq!(store.rename_person(zoe.id, "Abel").unwrap().name, "Abel");
    assert!(matches!(store.rename_person(zoe.id, "Adam"), Err(StoreError::NameTaken { .. })));
    assert_eq!(names(&store), ["Abel", "Adam"]);
    store.remove_person(zoe.id).unwrap();
    assert!(matches!(store.get_person(zoe.id), Err(StoreError::NotFound { .. })));
    assert!(matches!(store.remove_person(zoe.id), Err(StoreError::NotFound { .. })));
    assert!(matches!(store.rename_person(zoe.id, "x"), Err(StoreError::NotFound { .. })));
}

#[test]
fn people_are_read_page_by_page_and_by_name() {
    let (_folder, store) = new_store();
    let people: Vec<_> = ["Zoe", "adam", "Ä", "Ann", "Ann 2"].iter().map(|name| person(&store, name)).collect();
    let names = |after: &str, limit| {
        store.people_after(after, limit).unwrap().into_iter().map(|person| person.name).collect::<Vec<_>>()
    };
    assert_eq!(names("", 3), ["Ann", "Ann 2", "Zoe"]);
    assert_eq!(names("Zoe", 3), ["adam", "Ä"]);
    assert_eq!(names("Ann 1, who has gone", 1), ["Ann 2"]);
    assert!(names("Ä", 3).is_empty() && names("", 0).is_empty());
    assert_eq!(store.person_named("Ä").unwrap().as_ref(), Some(&people[2]));
    assert_eq!(store.person_named("ann").unwrap(), None);
}

#[test]
fn bad_names_are_refused() {
    let (_folder, store) = new_store();
    person(&store, "Ann");
    for name in ["", "   ", "a\nb", "a\u{0}b", &"x".repeat(201)] {
        let new = NewPerson { name: name.to_owned(), idempotency_key: None };
        assert!(matches!(store.create_person(&new, NOW), Err(StoreError::Invalid(_))), "{name:?}");
    }
    let again = NewPerson { name: "Ann".to_owned(), idempotency_key: None };
    assert!(matches!(store.create_person(&again, NOW), Err(StoreError::NameTaken { .. })));
    person(&store, &"ü".repeat(200));
}

#[test]
fn a_repeated_key_gives_the_same_answer_and_changes_nothing() {
    let (_folder, store) = new_store();
    let new = NewPerson { name: "Ann".to_owned(), idempotency_key: Some("k".to_owned()) };
    let ann = store.create_person(&new, NOW).unwrap();
    assert_eq!(store.create_person(&new, NOW.plus_ns(5)).unwrap(), ann);
    let other = NewPerson { name: "Bob".to_owned(), idempotency_key: Some("k".to_owned()) };
    assert!(matches!(store.create_person(&other, NOW), Err(StoreError::KeyReused { .. })));

    let mut new = template(ann.id, "m@1", unit(1, 8));
    new.idempotency_key = Some("t".to_owned());
    let first = store.add_template(&new, NOW).unwrap();
    let generation = store.gallery_generation().unwrap();
    assert_eq!(store.add_template(&new, NOW).unwrap(), first);
    assert_eq!((vectors(&store).len(), store.gallery_generation().unwrap()), (1, generation));
    new.vector = unit(2, 8);
    assert!(matches!(store.add_template(&new, NOW), Err(StoreError::KeyReused { .. })));

    // A week later the key is forgotten and the name is what counts.
    store.prune(NOW.plus_ns(8 * 24 * 3600 * 1_000_000_000)).unwrap();
    assert!(store.create_person(&other, NOW).is_ok());
}

#[test]
fn templates_come_back_in_order_and_bit_for_bit() {
    let (_folder, store) = new_store();
    assert_eq!(store.gallery_model().unwrap(), None);
    let (ann, bob) = (person(&store, "Ann"), person(&store, "Bob"));
    let mut expected = Vec::new();
    for seed in 0..10 {
        let whose = if seed % 3 == 0 { ann.id } else { bob.id };
        let added = store.add_template(&template(whose, "m@1", unit(seed, 128)), NOW).unwrap();
        expected.push((added.id, whose, unit(seed, 128)));
    }
    assert_eq!(vectors(&store), expected);
    assert_eq!(store.gallery_model().unwrap(), Some(GalleryModel { name: "m@1".to_owned(), dimension: 128 }));
    assert_eq!(store.get_person(ann.id).unwrap().templates, 4);
}

#[test]
fn vectors_that_would_poison_the_index_are_refused() {
    let (_folder, store) = new_store();
    let ann = person(&store, "Ann");
    let try_add = |vector: Vec<f32>| store.add_template(&template(ann.id, "m@1", vector), NOW);
    for bad in [vec![], vec![0.0; 8], vec![f32::NAN; 8], vec![f32::INFINITY, 0.0], vec![2.0, 0.0]] {
        assert!(matches!(try_add(bad.clone()), Err(StoreError::Invalid(_))), "{bad:?}");
    }
    try_add(unit(1, 8)).unwrap();
    let error = try_add(unit(1, 9)).unwrap_err().to_string();
    assert!(error.contains("9 dimensions, 8 are expected"), "{error}");
    assert_eq!(vectors(&store).len(), 1);
}

#[test]
fn another_models_template_is_refused_naming_both_and_the_way_out() {
    let (_folder, store) = new_store();
    let ann = person(&store, "Ann");
    store.add_template(&template(ann.id, "facenet@aaa", unit(1, 8)), NOW).unwrap();
    for error in [
        store.add_template(&template(ann.id, "dlib@bbb", unit(1, 4)), NOW).unwrap_err(),
        store.check_gallery_model("dlib@bbb").unwrap_err(),
    ] {
        let text = error.to_string();
        for part in ["facenet@aaa", "dlib@bbb", "models.profile", "data_dir"] {
            assert!(text.contains(part), "{text}");
        }
    }
    store.check_gallery_model("facenet@aaa").unwrap();
    // An emptied gallery takes any model.
    store.remove_person(ann.id).unwrap();
    store.check_gallery_model("dlib@bbb").unwrap();
    let bob = person(&store, "Bob");
    store.add_template(&template(bob.id, "dlib@bbb", unit(1, 4)), NOW).unwrap();
}

#[test]
fn a_file_that_is_only_looked_at_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b?c#d%20.db");
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert!(Store::check_gallery_model_of(&path, "dlib@bbb").is_err() && files() == 0);
    let store = Store::open(&path).unwrap();
    Store::check_gallery_model_of(&path, "dlib@bbb").unwrap();
    let ann = person(&store, "Ann");
    store.add_template(&template(ann.id, "facenet@aaa", unit(1, 8)), NOW).unwrap();
    let check = || {
        Store::check_gallery_model_of(&path, "facenet@aaa").unwrap();
        let text = Store::check_gallery_model_of(&path, "dlib@bbb").unwrap_err().to_string();
        assert!(text.contains("facenet@aaa") && text.contains("dlib@bbb"), "{text}");
    };
    // While it is open, what is still in the log counts; afterwards there is no log, and none is made.
    check();
    store.add_template(&template(ann.id, "facenet@aaa", unit(2, 8)), NOW).unwrap();
    drop(store);
    assert_eq!(files(), 1);
    check();
    assert_eq!(files(), 1);
    std::fs::write(&path, "no database, but as long as the head of one, which has a hundred bytes ".repeat(4)).unwrap();
    let error = Store::check_gallery_model_of(&path, "dlib@bbb").unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("a b?c"), "{error}");
}

#[test]
fn a_copy_that_is_not_whole_without_its_log_is_not_judged() {
    let (folder, store) = new_store();
    let ann = person(&store, "Ann");
    store.add_template(&template(ann.id, "facenet@aaa", unit(1, 8)), NOW).unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy.db");
    let (from, log) = (store.path().to_str().unwrap(), copies.path().join("copy.db-wal"));
    std::fs::copy(from, &copy).unwrap();
    std::fs::copy(format!("{from}-wal"), &log).unwrap();
    // Whatever the embedder: without the log the copy looks as if nobody were enrolled.
    for embedder in ["facenet@aaa", "dlib@bbb"] {
        let error = Store::check_gallery_model_of(&copy, embedder).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::File { .. }) && text.contains("start the server once"), "{text}");
        assert!(text.contains("copy.db"), "{text}");
    }
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), 2);
    drop((store, folder));
    // What is advised helps.
    drop(Store::open(&copy).unwrap());
    Store::check_gallery_model_of(&copy, "facenet@aaa").unwrap();
    assert!(matches!(Store::check_gallery_model_of(&copy, "dlib@bbb"), Err(StoreError::OtherModel { .. })));
    // A log that holds nothing keeps nobody from looking.
    std::fs::write(&log, "").unwrap();
    Store::check_gallery_model_of(&copy, "facenet@aaa").unwrap();
}

#[test]
fn a_merge_moves_everything_and_publishes_an_alias_once() {
    let (_folder, store) = new_store();
    let (ann, anna) = (person(&store, "Ann"), person(&store, "Anna"));
    store.add_template(&template(ann.id, "m@1", unit(1, 8)), NOW).unwrap();
    store.add_template(&template(anna.id, "m@1", unit(2, 8)), NOW).unwrap();
    let batch = IdentifyBatch { sightings: vec![sighting(1, Some(anna.id), false)], ..Default::default() };
    store.commit(batch, NOW).unwrap();
    let merge = MergePeople { from: anna.id, into: ann.id };
    for _ in 0..2 {
        assert_eq!(store.merge_people(&merge, NOW).unwrap().templates, 2);
    }
    assert!(vectors(&store).iter().all(|(_, person, _)| *person == ann.id));
    assert_eq!(store.sighting(&common::visit(1)).unwrap().person, Some(ann.id));
    let events = store.events_after(0, 10).unwrap();
    let [EventRecord::Alias(alias)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((alias.kind, alias.from, alias.into), (AliasKind::Person, anna.id.0, ann.id.0));
    let gone = store.get_person(anna.id).unwrap_err().to_string();
    assert!(gone.contains(&ann.id.to_string()), "{gone}");
    assert!(matches!(
        store.merge_people(&MergePeople { from: ann.id, into: ann.id }, NOW),
        Err(StoreError::Invalid(_))
    ));
    let nobody = MergePeople { from: PersonId::generate(), into: ann.id };
    assert!(matches!(store.merge_people(&nobody, NOW), Err(StoreError::NotFound { .. })));
    assert_eq!(store.list_people().unwrap().len(), 1);
}

#[test]
fn a_removed_persons_vectors_are_gone_from_the_files() {
    let (folder, store) = new_store();
    let ann = person(&store, "Ann");
    let vector = unit(77, 512);
    store.add_template(&template(ann.id, "m@1", vector.clone()), NOW).unwrap();
    store
        .commit(IdentifyBatch { sightings: vec![sighting(1, Some(ann.id), false)], ..Default::default() }, NOW)
        .unwrap();
    let needle: Vec<u8> = vector[..16].iter().flat_map(|v| v.to_le_bytes()).collect();
    let on_disk = || {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(on_disk());
    store.remove_person(ann.id).unwrap();
    assert!(!on_disk());
    assert_eq!(store.sighting(&common::visit(1)).unwrap().person, None);
}
