//! Pictures to vectors, on real ones: what is kept between runs, what a full disk does, and the mirror.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where something fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sightline_infer::{DetectorConfig, Device, Embedder, FaceCrop, ModelStore, Runtime};
use sightline_lab::crops::{Finder, read};
use sightline_lab::faces::{Choice, Models, Outcome, cosine, embed};
use sightline_lab::progress::Progress;
use sightline_testkit::{cache_dir, onnxruntime, shared_or_skip};
use sightline_vision::{QualityGates, RgbImage, Subsampling, encode_rgb};
use tempfile::TempDir;

fn models(embedder: &str, flip: bool) -> Models {
    Models {
        runtime: Runtime::load(Some(&onnxruntime().unwrap()), Device::Cpu, 1).unwrap(),
        store: ModelStore::new(&cache_dir().join("models"), None).unwrap(),
        detector: DetectorConfig::new("centerface"),
        embedder: embedder.to_owned(),
        choice: Choice::Central,
        flip,
    }
}

/// The outcomes, and how many were known.
fn run(models: &Models, (root, files): (&Path, &[String]), kept: &Path) -> (Vec<Outcome>, u64) {
    let mut known = 0;
    let progress = |_, done| {
        known = done;
        Progress::hidden()
    };
    let outcomes = embed(models, (root, files), 2, Some(kept), progress).unwrap();
    (outcomes, known)
}

/// The file of kept vectors, with its lines.
fn kept_lines(kept: &Path) -> (PathBuf, Vec<String>) {
    let path = fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    (path, text.lines().map(str::to_owned).collect())
}

fn near(a: &Outcome, b: &Outcome) -> bool {
    match (a.vector(), b.vector()) {
        (Some(a), Some(b)) => cosine(a, b) > 0.9999,
        _ => a == b,
    }
}

#[test]
fn an_interrupted_run_goes_on_and_changed_pictures_are_looked_at_again() {
    let name = "faces::an_interrupted_run_goes_on_and_changed_pictures_are_looked_at_again";
    let Some(shared) = shared_or_skip(name) else { return };
    let (folder, models) = (TempDir::new().unwrap(), models("dlib", false));
    let (root, kept) = (folder.path(), folder.path().join("kept"));
    let sharon = |number: u32| shared.join(format!("data/lfw-people70/Ariel_Sharon/Ariel_Sharon_000{number}.jpg"));
    let files = ["1", "2", "3", "nobody", "torn"].map(|name| format!("{name}.jpg"));
    (1..4).for_each(|number| fs::write(root.join(format!("{number}.jpg")), fs::read(sharon(number)).unwrap()).unwrap());
    let nobody = encode_rgb(&RgbImage::filled(96, 96, [128; 3]), 90, Subsampling::Half).unwrap();
    fs::write(root.join("nobody.jpg"), nobody).unwrap();
    fs::write(root.join("torn.jpg"), &fs::read(sharon(4)).unwrap()[..200]).unwrap();

    let (first, known) = run(&models, (root, &files), &kept);
    assert_eq!(known, 0);
    assert!(first[..3].iter().all(|outcome| outcome.vector().is_some()) && first[3] == Outcome::NoFace, "{first:?}");
    assert!(matches!(first[4], Outcome::Unusable(_)));
    // As if it had been stopped while the third picture was written down.
    let (path, lines) = kept_lines(&kept);
    assert_eq!(lines.len(), 4, "why a picture cannot be used is not kept");
    fs::write(&path, format!("{}\n{}\n{}", lines[0], lines[1], &lines[2][..lines[2].len() / 2])).unwrap();
    let (second, known) = run(&models, (root, &files), &kept);
    assert_eq!((known, &second[..2]), (2, &first[..2]));
    assert!(second.iter().zip(&first).all(|(second, first)| near(second, first)));
    let (third, known) = run(&models, (root, &files), &kept);
    assert_eq!((known, &third), (4, &second), "to the last bit");

    fs::write(root.join("1.jpg"), fs::read(sharon(2)).unwrap()).unwrap();
    let (changed, known) = run(&models, (root, &files), &kept);
    assert_eq!(known, 3);
    assert!(near(&changed[0], &second[1]) && !near(&changed[0], &second[0]));
}

#[test]
fn with_flip_a_vector_is_the_sum_of_the_face_and_its_mirror_image() {
    let Some(shared) = shared_or_skip("faces::with_flip_a_vector_is_the_sum_of_the_face_and_its_mirror_image") else {
        return;
    };
    let (kept, root) = (TempDir::new().unwrap(), shared.join("data/lfw-people70"));
    let files = [1, 2].map(|number| format!("Ariel_Sharon/Ariel_Sharon_000{number}.jpg"));
    let (plain, _) = run(&models("facenet", false), (&root, &files), kept.path());
    let with_flip = models("facenet", true);
    let (flipped, known) = run(&with_flip, (&root, &files), kept.path());
    assert_eq!(known, 0, "vectors without a mirror are others");
    let mut finder = Finder::open(&with_flip).unwrap();
    let mut embedder = Embedder::open(&with_flip.runtime, &with_flip.store, "facenet").unwrap();
    for ((file, plain), flipped) in files.iter().zip(&plain).zip(&flipped) {
        let face = finder.find(&read(&root.join(file)).unwrap(), &QualityGates::default()).unwrap().unwrap();
        let (image, detector) = (&face.cut.image, finder.model_id());
        let crop = FaceCrop { image, face: face.cut.face, landmarks: face.cut.landmarks, detector };
        let input = embedder.prepare(&crop).unwrap();
        let (width, height) = (input.width(), input.height());
        let mirrored = (0..height).flat_map(|y| (0..width).map(move |x| (width - 1 - x, y)));
        let mirrored = mirrored.flat_map(|(x, y)| input.pixel(x, y)).collect();
        let both = [RgbImage::new(width, height, mirrored).unwrap(), input];
        let both = embedder.embed_inputs(&both).unwrap();
        let [Ok(a), Ok(b)] = &both[..] else { panic!("{both:?}") };
        let sum: Vec<f32> = a.iter().zip(b).map(|(a, b)| a + b).collect();
        let length = cosine(&sum, &sum).sqrt();
        let flipped = flipped.vector().unwrap();
        assert!((cosine(flipped, flipped) - 1.0).abs() < 1e-5);
        assert!(cosine(&sum, flipped) / length > 0.99999);
        assert!(cosine(plain.vector().unwrap(), flipped) < 0.999, "a face is not symmetrical");
    }
}

#[test]
fn a_full_disk_is_said_and_what_was_kept_stays() {
    let Some(shared) = shared_or_skip("faces::a_full_disk_is_said_and_what_was_kept_stays") else { return };
    let folder = TempDir::new().unwrap();
    let (cache, pairs) = (folder.path().join("cache"), folder.path().join("pairs.txt"));
    fs::create_dir(&cache).unwrap();
    std::os::unix::fs::symlink(cache_dir().join("models"), cache.join("models")).unwrap();
    let lines =
        "1 2\nAriel_Sharon 1 2\nAriel_Sharon 3 4\nAriel_Sharon 1 Colin_Powell 1\nAriel_Sharon 2 Colin_Powell 3\n";
    fs::write(&pairs, lines).unwrap();
    let verify = |blocks: &str| {
        // No file grows beyond so many blocks: as on a disk that fills up, a part is written, and then nothing.
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_sightline-lab"), "verify", "--embedder", "dlib"]);
        command.arg(shared.join("data/lfw-people70")).arg("--pairs").arg(&pairs);
        command.env("SIGHTLINE_CACHE", &cache).env("ORT_DYLIB_PATH", onnxruntime().unwrap());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (succeeded, said) = verify("8");
    assert!(!succeeded && said.contains("results cannot be kept in"), "{said}");
    assert!(said.contains("File too large") && said.contains("--no-cache"), "{said}");
    let whole = |line: &&String| line.ends_with('}');
    let kept = kept_lines(&cache.join("lab")).1.iter().filter(whole).count();
    assert!((1..6).contains(&kept), "{kept} whole lines");
    let (succeeded, said) = verify("unlimited");
    assert!(succeeded, "{said}");
    assert_eq!(kept_lines(&cache.join("lab")).1.iter().filter(whole).count(), 6, "those that were kept are known");
}
