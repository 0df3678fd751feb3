use sightline_infer::{ModelStore, MtcnnParams};
use sightline_vision::Rect;

use super::{FinderConfig, FinderError, Finders, Purpose, detections};
use crate::scratch::Scratch;
use crate::traditional::{FoundFace, HaarConfig, SeetaConfig};

fn finders(config: FinderConfig) -> Finders {
    Finders::new(ModelStore::new("nowhere".as_ref(), None).unwrap(), config)
}

#[test]
fn the_least_score_is_that_of_the_settings() {
    let own = finders(FinderConfig::default());
    let least = |name: &str| own.least_score(name).unwrap();
    assert_eq!(least("haar"), 6.0, "more than 5 windows agree");
    assert_eq!(least("seetaface"), 2.0);
    assert_eq!(least("yunet"), f64::from(0.6_f32));
    assert_eq!(least("centerface"), f64::from(0.5_f32.next_up()), "more than its threshold");
    assert_eq!(least("mtcnn"), f64::from(0.7_f32.next_up()), "its last network's");
    let asked = finders(FinderConfig {
        threshold: Some(0.4),
        mtcnn: Some(MtcnnParams { thresholds: [0.1, 0.2, 0.9], ..MtcnnParams::default() }),
        haar: HaarConfig { min_neighbors: 3, ..HaarConfig::default() },
        seeta: SeetaConfig { threshold: 2.8, ..SeetaConfig::default() },
        ..FinderConfig::default()
    });
    let least = |name: &str| asked.least_score(name).unwrap();
    assert_eq!([least("haar"), least("seetaface"), least("yunet")], [4.0, 2.8, f64::from(0.4_f32)]);
    assert_eq!(least("mtcnn"), f64::from(0.9_f32.next_up()));
}

#[test]
fn for_a_curve_only_the_least_score_is_lower() {
    let config = FinderConfig { width: Some(320), ..FinderConfig::default() };
    let finders = finders(FinderConfig { threshold: Some(0.4), ..config });
    let network = |name, purpose| finders.network(name, purpose).unwrap();
    let (used, curve) = (network("centerface", Purpose::Use), network("centerface", Purpose::Curve));
    assert_eq!((used.threshold, curve.threshold), (Some(0.4), Some(0.02)));
    assert!(used.enlarge && curve.enlarge && used.width == Some(320) && curve.width == Some(320));
    let thresholds = |purpose| network("mtcnn", purpose).mtcnn.unwrap().thresholds;
    assert_eq!(thresholds(Purpose::Use), [0.6, 0.7, 0.7]);
    assert_eq!(thresholds(Purpose::Curve), [0.6, 0.7, 0.0]);
    assert_eq!(network("mtcnn", Purpose::Use).threshold, None, "a setting of other networks");
    assert_eq!(finders.haar(Purpose::Use), HaarConfig::default());
    assert_eq!(finders.haar(Purpose::Curve), HaarConfig::for_curve());
    assert_eq!(finders.seeta(Purpose::Curve), SeetaConfig::for_curve());
}

#[test]
fn what_is_missing_and_what_is_mistyped_are_told_apart() {
    let scratch = Scratch::new();
    let none = scratch.path().join("none");
    let config =
        FinderConfig { cascade: Some(none.clone()), seeta_model: Some(none.clone()), ..FinderConfig::default() };
    let finders = Finders::new(ModelStore::new(&none, None).unwrap(), config);
    let refused = |name: &str| finders.open(name, Purpose::Use).unwrap_err();
    let unknown = refused("dlib-hog");
    assert!(unknown.is_usage());
    assert_eq!(unknown.to_string(), "no detector `dlib-hog`; known are centerface, mtcnn, yunet, haar, seetaface");
    for (name, said) in [("haar", "cannot read"), ("seetaface", "is missing: `cargo xtask setup`")] {
        let error = refused(name);
        assert!(!error.is_usage() && error.to_string().contains(said), "{error}");
        assert!(error.to_string().contains(&none.display().to_string()), "{error}");
    }
    let setting = FinderConfig { threshold: Some(2.0), ..FinderConfig::default() };
    let setting = Finders::new(ModelStore::new(&none, None).unwrap(), setting);
    let error = setting.open("centerface", Purpose::Use).unwrap_err();
    assert!(error.is_usage() && matches!(error, FinderError::Network(_)), "{error}");
    let haar = HaarConfig { scale_factor: 1.0, ..HaarConfig::default() };
    let cascade = scratch.file("cascade.xml", b"").path().join("cascade.xml");
    let haar = self::finders(FinderConfig { haar, cascade: Some(cascade), ..FinderConfig::default() });
    assert!(haar.open("haar", Purpose::Use).unwrap_err().is_usage());
}

#[test]
fn what_is_no_box_is_no_detection() {
    let face = |x2: f32, score| FoundFace { bbox: Rect::new(1.0, 2.0, x2, 6.0), score };
    let found = detections(&[face(4.0, 0.5), face(0.0, 0.5), face(f32::NAN, 0.5), face(4.0, f32::NAN)]);
    assert_eq!(found.len(), 1);
    let area = found[0].area;
    assert_eq!([area.left, area.top, area.width, area.height], [1.0, 2.0, 3.0, 4.0]);
}
