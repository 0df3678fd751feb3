//! Scenes with known people, and what the tracker must make of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sightline_vision::QualityReason;
use sightline_wire::{CaptureMode, EndReason, Face, FrameFaces, FrameSize, VisitId};

use crate::TrackConfig;
use crate::synthetic::{Bench, FRAME_NS, empty_frame, face_at, face_looking_like, frame};

/// Somebody who moves by `step` pixels a frame, marked by the score so that a test can tell who is who.
fn walker(seq: u64, from: f32, step: f32, y: f32, mark: f32) -> Face {
    Face { score: mark, ..face_at(from + step * seq as f32, y, 60.0) }
}

/// Which marks each visit saw on its crops.
fn marks(bench: &Bench) -> BTreeMap<VisitId, BTreeSet<u32>> {
    let mut marks = BTreeMap::<VisitId, BTreeSet<u32>>::new();
    for crop in &bench.crops {
        marks.entry(crop.id.visit.clone()).or_default().insert((crop.score * 100.0).round() as u32);
    }
    marks
}

/// Every promise about numbers that must hold whatever the frames were.
fn check_books(bench: &Bench) {
    let mut crops = BTreeMap::<&VisitId, u32>::new();
    for crop in &bench.crops {
        let next = crops.entry(&crop.id.visit).or_default();
        assert_eq!(crop.id.index, *next, "crops are numbered from 0 without holes");
        assert_eq!(crop.head.visit, crop.id.visit);
        *next += 1;
    }
    let mut notes = BTreeMap::<&VisitId, Vec<_>>::new();
    for note in &bench.notes {
        notes.entry(&note.head.visit).or_default().push(note);
    }
    for (visit, notes) in &notes {
        assert!(notes.iter().enumerate().all(|(number, note)| note.note as usize == number));
        let ends = notes.iter().filter(|note| note.end.is_some()).count();
        assert_eq!(ends, 1, "{visit} has exactly one end");
        let last = notes.last().unwrap();
        assert!(last.end.is_some(), "nothing follows the end of {visit}");
        assert_eq!(last.crops_sent, crops.get(visit).copied().unwrap_or(0), "crops of {visit}");
        assert_eq!(last.flaw.is_some(), last.crops_sent == 0);
    }
    assert!(crops.keys().all(|visit| notes.contains_key(visit)), "no crop without a note");
}

#[test]
fn one_who_walks_faster_than_overlap_is_one_visit() {
    let bench = Bench::run(12, |seq| vec![walker(seq, 50.0, 90.0, 300.0, 0.9)]);
    check_books(&bench);
    assert_eq!(bench.ends().len(), 1);
    let end = bench.ends()[0];
    assert_eq!(end.head.visit.as_str(), "lobby-1-0-0");
    assert_eq!(end.end, Some(EndReason::Shutdown));
    assert!(end.crops_sent >= 2);
}

#[test]
fn the_first_crop_comes_with_the_second_sight() {
    let mut bench = Bench::new(TrackConfig::default());
    bench.frame(&frame(0, vec![face_at(100.0, 100.0, 60.0)]));
    assert_eq!((bench.crops.len(), bench.notes.len()), (0, 0));
    bench.frame(&frame(1, vec![face_at(100.0, 100.0, 60.0)]));
    assert_eq!((bench.crops.len(), bench.notes.len()), (1, 1));
    assert_eq!(bench.notes[0].crops_sent, 1);
    assert_eq!(bench.notes[0].end, None);
}

#[test]
fn two_who_cross_keep_their_visits() {
    let scene = |seq| vec![walker(seq, 100.0, 60.0, 300.0, 0.91), walker(seq, 1000.0, -60.0, 330.0, 0.82)];
    let bench = Bench::run(15, scene);
    check_books(&bench);
    assert_eq!(bench.ends().len(), 2);
    let marks = marks(&bench);
    assert_eq!(marks.values().map(BTreeSet::len).collect::<Vec<_>>(), [1, 1], "{marks:?}");
}

#[test]
fn one_hidden_behind_the_other_while_crossing_comes_out_on_the_far_side() {
    let scene = |seq| {
        let near = walker(seq, 100.0, 60.0, 300.0, 0.91);
        let far = walker(seq, 1000.0, -60.0, 300.0, 0.82);
        let hidden = near.bbox.iou(&far.bbox) > 0.0;
        if hidden { vec![near] } else { vec![near, far] }
    };
    let bench = Bench::run(15, scene);
    check_books(&bench);
    let marks = marks(&bench);
    assert_eq!(marks.values().map(BTreeSet::len).collect::<Vec<_>>(), [1, 1], "{marks:?}");
}

#[test]
fn a_second_behind_a_pillar_does_not_end_a_visit() {
    // Not seen in frames 6 to 10: 1.2 s from sight to sight, while walking on.
    let bench =
        Bench::run(18, |seq| if (6..=10).contains(&seq) { vec![] } else { vec![walker(seq, 50.0, 60.0, 300.0, 0.9)] });
    check_books(&bench);
    assert_eq!(bench.ends().len(), 1);
}

#[test]
fn a_face_that_flickers_is_one_visit() {
    let bench = Bench::run(40, |seq| if seq % 3 == 2 { vec![] } else { vec![face_at(400.0, 300.0, 60.0)] });
    check_books(&bench);
    assert_eq!(bench.ends().len(), 1);
}

#[test]
fn neighbours_who_flicker_do_not_mix() {
    let bench = Bench::run(40, |seq| {
        let mut faces = Vec::new();
        if seq % 3 != 2 {
            faces.push(walker(seq, 400.0, 0.0, 300.0, 0.91));
        }
        if seq % 4 != 3 {
            faces.push(walker(seq, 490.0, 0.0, 300.0, 0.82));
        }
        faces
    });
    check_books(&bench);
    let marks = marks(&bench);
    assert_eq!(marks.len(), 2);
    assert!(marks.values().all(|marks| marks.len() == 1), "{marks:?}");
}

#[test]
fn another_person_in_the_same_place_after_a_cut_is_another_visit() {
    let bench = Bench::run(20, |seq| {
        let head = if seq < 10 { 1 } else { 2 };
        vec![face_looking_like(head, walker(seq, 400.0, 0.0, 300.0, 0.8 + head as f32 / 100.0))]
    });
    check_books(&bench);
    assert_eq!(marks(&bench).values().cloned().collect::<Vec<_>>(), [BTreeSet::from([81]), BTreeSet::from([82])]);
}

#[test]
fn leaving_and_coming_back_later_are_two_visits() {
    let present = |seq: u64| !(10..25).contains(&seq);
    let bench = Bench::run(35, |seq| if present(seq) { vec![face_at(400.0, 300.0, 60.0)] } else { vec![] });
    check_books(&bench);
    let ends: Vec<_> = bench.ends().iter().map(|note| note.end).collect();
    assert_eq!(ends, [Some(EndReason::Left), Some(EndReason::Shutdown)]);
    assert_eq!(bench.ends()[0].last_seen.pts_ns, 9 * FRAME_NS);
}

#[test]
fn a_face_seen_once_never_becomes_a_visit() {
    let bench = Bench::run(20, |seq| if seq == 3 { vec![face_at(400.0, 300.0, 60.0)] } else { vec![] });
    assert!(bench.notes.is_empty() && bench.crops.is_empty());
}

#[test]
fn a_small_face_has_a_visit_and_no_crops() {
    let bench = Bench::run(10, |_| vec![face_at(400.0, 300.0, 20.0)]);
    check_books(&bench);
    assert_eq!(bench.ends()[0].flaw, Some(QualityReason::Small));
    assert!(bench.crops.is_empty());
}

#[test]
fn the_first_good_face_goes_at_once_after_bad_ones() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..5 {
        let face = Face { flaw: Some(QualityReason::Turned), ..face_at(400.0, 300.0, 60.0) };
        bench.frame(&frame(seq, vec![face]));
    }
    assert!(bench.crops.is_empty());
    assert_eq!(bench.notes.len(), 1);
    bench.frame(&frame(5, vec![face_at(400.0, 300.0, 60.0)]));
    assert_eq!(bench.crops.len(), 1);
    assert_eq!(bench.crops[0].stamp.pts_ns, 5 * FRAME_NS);
}

#[test]
fn a_silent_camera_ends_its_visits() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..5 {
        bench.tick(seq * 200);
        bench.frame(&frame(seq, vec![face_at(400.0, 300.0, 60.0)]));
    }
    bench.tick(3700);
    assert!(bench.ends().is_empty());
    bench.tick(3800);
    assert_eq!(bench.ends()[0].end, Some(EndReason::CameraStopped));
    bench.finish();
    check_books(&bench);
}

/// It only waits for a detector.
#[test]
fn a_silent_recording_ends_its_visits_later() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..5 {
        let face = face_at(400.0, 300.0, 60.0);
        bench.frame(&FrameFaces { mode: CaptureMode::Complete, ..frame(seq, vec![face]) });
    }
    bench.tick(16_900);
    assert!(bench.ends().is_empty());
    bench.tick(17_000);
    assert_eq!(bench.ends()[0].end, Some(EndReason::CameraStopped));
}

#[test]
fn a_quick_reopen_continues_visits_and_a_slow_one_ends_them() {
    for (pause_ns, expected) in [(1_000_000_000, vec![]), (2_500_000_000, vec![Some(EndReason::CameraStopped)])] {
        let mut bench = Bench::new(TrackConfig::default());
        for seq in 0..5 {
            bench.frame(&frame(seq, vec![face_at(400.0, 300.0, 60.0)]));
        }
        let before = empty_frame(1, 4).stamp.capture;
        for seq in 0..5 {
            let mut reopened = FrameFaces { faces: vec![face_at(405.0, 300.0, 60.0)], ..empty_frame(2, seq) };
            reopened.stamp.capture = before.plus_ns(pause_ns + reopened.stamp.pts_ns);
            bench.frame(&reopened);
        }
        assert_eq!(bench.ends().iter().map(|note| note.end).collect::<Vec<_>>(), expected);
        bench.frame(&frame(5, vec![face_at(900.0, 300.0, 60.0)]));
        bench.frame(&frame(6, vec![face_at(900.0, 300.0, 60.0)]));
        bench.finish();
        check_books(&bench);
        assert_eq!(bench.ends().len(), expected.len() + 1, "the old epoch is fenced off");
    }
}

#[test]
fn a_clock_that_is_corrected_ends_nothing() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..20 {
        let mut frame = frame(seq, vec![face_at(400.0, 300.0, 60.0)]);
        if seq >= 10 {
            frame.stamp.capture = frame.stamp.capture.plus_ns(-3_600_000_000_000);
        }
        bench.frame(&frame);
    }
    assert!(bench.ends().is_empty());
    assert_eq!(bench.crops.iter().map(|crop| &crop.id.visit).collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn a_change_of_resolution_ends_nothing() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..5 {
        bench.frame(&frame(seq, vec![face_at(400.0, 300.0, 60.0)]));
    }
    for seq in 5..10 {
        let size = FrameSize { width: 640, height: 360 };
        bench.frame(&FrameFaces { size, ..frame(seq, vec![face_at(200.0, 150.0, 30.0)]) });
    }
    bench.finish();
    check_books(&bench);
    assert_eq!(bench.ends().len(), 1);
}

#[test]
fn signs_of_life_come_at_least_every_ten_seconds() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..300 {
        bench.tick(seq * 200);
        bench.frame(&frame(seq, vec![face_at(400.0, 300.0, 60.0)]));
    }
    let times: Vec<i64> = bench.notes.iter().map(|note| note.last_seen.pts_ns).collect();
    assert!(times.len() >= 7, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 10_000_000_000), "{times:?}");
    bench.finish();
    check_books(&bench);
}

#[test]
fn broken_numbers_do_no_harm() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..10 {
        let mut nan = face_at(400.0, 300.0, 60.0);
        nan.bbox.x1 = f32::NAN;
        let mut huge = face_at(400.0, 300.0, 60.0);
        huge.bbox.x2 = f32::MAX;
        let mut frame = frame(seq, vec![nan, huge, face_at(200.0, 300.0, 60.0)]);
        frame.stamp.pts_ns = if seq == 7 { i64::MAX } else { frame.stamp.pts_ns };
        bench.frame(&frame);
    }
    bench.finish();
    check_books(&bench);
    assert!(bench.ends().iter().any(|note| note.head.visit.as_str() == "lobby-1-0-2"));
}

#[test]
fn cameras_do_not_touch_each_other() {
    let mut bench = Bench::new(TrackConfig::default());
    for seq in 0..5 {
        bench.frame(&frame(seq, vec![face_at(400.0, 300.0, 60.0)]));
        let mut other = frame(seq, vec![face_at(400.0, 300.0, 60.0)]);
        other.frame.camera = "gate".parse().unwrap();
        bench.frame(&other);
    }
    bench.finish();
    check_books(&bench);
    assert_eq!(bench.ends().len(), 2);
}

#[test]
fn everything_is_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        let mut bench = Bench::new(TrackConfig::default());
        for seq in [0, 1, 2, 2, 3, 12, 13, 14, 15, 16, 17, 18, 19, 20, 5] {
            let mut faces = vec![face_at(400.0, 300.0, 60.0), face_at(800.0, 300.0, 20.0)];
            if seq == 3 {
                faces.push(face_at(1100.0, 500.0, 60.0));
            }
            bench.frame(&frame(seq, faces));
        }
        let text = recorder.handle().render();
        let expect = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
        expect("sightline_track_active{camera=\"lobby\"} 2");
        bench.finish();
        let text = recorder.handle().render();
        let expect = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
        expect("sightline_track_frames_total{camera=\"lobby\",result=\"ok\"} 13");
        expect("sightline_track_frames_total{camera=\"lobby\",result=\"lost\"} 8");
        expect("sightline_track_frames_total{camera=\"lobby\",result=\"late\"} 1");
        expect("sightline_track_frames_total{camera=\"lobby\",result=\"duplicate\"} 1");
        expect("sightline_track_visits_total{camera=\"lobby\"} 2");
        expect("sightline_track_unconfirmed_total{camera=\"lobby\"} 1");
        expect("sightline_track_active{camera=\"lobby\"} 0");
        expect("sightline_track_embeds_per_visit_count 2");
        expect("sightline_quality_rejected_total{camera=\"lobby\",reason=\"small\"} 13");
    });
}

/// A random scene: people with a start, a direction, a time of entry and of exit, and frames in which the detector
/// misses them.
fn scene(frames: u64) -> impl Strategy<Value = Vec<FrameFaces>> {
    let person =
        (50.0_f32..1200.0, 50.0_f32..650.0, -80.0_f32..80.0, 20.0_f32..120.0, 0..frames, 0..frames, any::<u64>());
    prop::collection::vec(person, 0..6).prop_map(move |people| {
        (0..frames)
            .map(|seq| {
                let seen = people
                    .iter()
                    .filter(|p| (p.4.min(p.5)..=p.4.max(p.5)).contains(&seq) && p.6 >> (seq % 64) & 3 != 0);
                let faces = seen.map(|p| {
                    let mut face = face_at(p.0 + p.2 * seq as f32, p.1, p.3);
                    face.quality.score = ((p.6 >> (seq % 60)) & 15) as f32 / 15.0;
                    face
                });
                frame(seq, faces.collect())
            })
            .collect()
    })
}

fn outcome(frames: impl IntoIterator<Item = FrameFaces>) -> (String, Bench) {
    let mut bench = Bench::new(TrackConfig::default());
    for frame in frames {
        bench.frame(&frame);
    }
    bench.finish();
    (format!("{:?} {:?}", bench.crops, bench.notes), bench)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_are_right_for_any_scene(frames in scene(60)) {
        check_books(&outcome(frames).1);
    }

    #[test]
    fn any_order_within_the_window_gives_the_same(frames in scene(40), keys in prop::collection::vec(0_u64..8, 40)) {
        let mut shuffled: Vec<_> = frames.iter().cloned().zip(keys).enumerate().collect();
        // Moves a frame back by at most 7 places, so at most 8 wait.
        shuffled.sort_by_key(|(place, (_, key))| *place as u64 + key);
        let shuffled = shuffled.into_iter().map(|(_, (frame, _))| frame);
        prop_assert_eq!(outcome(frames).0, outcome(shuffled).0);
    }

    #[test]
    fn what_comes_again_changes_nothing(frames in scene(40), again in 1_usize..40, from in 0_usize..40) {
        let from = from.min(again);
        let repeated = frames[..again].iter().chain(&frames[from..again]).chain(&frames[again..]).cloned().collect::<Vec<_>>();
        prop_assert_eq!(outcome(frames).0, outcome(repeated).0);
    }
}
