//! OpenCV's cascade file: stages of decision stumps over Haar features.

use std::path::Path;

use roxmltree::{Document, Node};

use crate::traditional::error::DetectorError;

/// OpenCV lowers every stage's threshold by this much, against rounding.
const STAGE_SLACK: f32 = 1e-5;

/// Largest side of a window that is taken; real ones have about 24 pixels.
const LARGEST_WINDOW: usize = 256;

/// A trained cascade.
#[derive(Clone, Debug)]
pub(super) struct Cascade {
    /// Width and height of the window in pixels.
    pub(super) window: (usize, usize),
    /// From the cheapest to the dearest: a face passes all of them.
    pub(super) stages: Vec<Stage>,
}

/// A window passes where its stumps' votes reach the threshold.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) threshold: f32,
    pub(super) stumps: Vec<Stump>,
}

/// A feature below the threshold votes `below`, any other `above`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stump {
    pub(super) feature: Feature,
    pub(super) threshold: f32,
    pub(super) below: f32,
    pub(super) above: f32,
}

/// Two or three boxes of the window, the sums of their pixels weighted and added; weight 0 where there is no third.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Feature {
    pub(super) parts: [Part; 3],
}

/// A box of the window in pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) weight: f32,
}

impl Cascade {
    /// Reads the text of a cascade file; `path` is for messages.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, DetectorError> {
        let refused = |reason| DetectorError::Cascade { path: path.to_owned(), reason };
        let document = Document::parse(text).map_err(|error| refused(error.to_string()))?;
        read(document.root_element()).map_err(refused)
    }
}

fn read(root: Node<'_, '_>) -> Result<Cascade, String> {
    let cascade = child(root, "cascade")?;
    for (element, wanted) in [("stageType", "BOOST"), ("featureType", "HAAR")] {
        let found = text(child(cascade, element)?);
        if found != wanted {
            return Err(format!("<{element}> is {found}, {wanted} is what is read here"));
        }
    }
    let side = |element| -> Result<usize, String> {
        match numbers(child(cascade, element)?)?.as_slice() {
            [side] if side.fract() == 0.0 && (3.0..=LARGEST_WINDOW as f64).contains(side) => Ok(*side as usize),
            other => Err(format!("<{element}> is {other:?}, not one whole number from 3 to {LARGEST_WINDOW}")),
        }
    };
    let window = (side("width")?, side("height")?);
    let features: Vec<Feature> =
        items(child(cascade, "features")?).map(|node| feature(node, window)).collect::<Result<_, _>>()?;
    let stages: Vec<Stage> =
        items(child(cascade, "stages")?).map(|node| stage(node, &features)).collect::<Result<_, _>>()?;
    if stages.is_empty() {
        return Err("it has no stages".to_owned());
    }
    Ok(Cascade { window, stages })
}

fn feature(node: Node<'_, '_>, window: (usize, usize)) -> Result<Feature, String> {
    if child(node, "tilted").is_ok_and(|tilted| text(tilted) != "0") {
        return Err("it has tilted features, which are not read here".to_owned());
    }
    let mut feature = Feature::default();
    let rects: Vec<_> = items(child(node, "rects")?).collect();
    if !(2..=3).contains(&rects.len()) {
        return Err(format!("a feature has {} boxes, not two or three", rects.len()));
    }
    for (part, rect) in feature.parts.iter_mut().zip(rects) {
        *part = self::part(&numbers(rect)?, window)?;
    }
    Ok(feature)
}

fn part(numbers: &[f64], (width, height): (usize, usize)) -> Result<Part, String> {
    let inside = |value: f64| value.fract() == 0.0 && (0.0..=LARGEST_WINDOW as f64).contains(&value);
    match *numbers {
        [x, y, w, h, weight] if [x, y, w, h].into_iter().all(inside) => {
            let part =
                Part { x: x as usize, y: y as usize, width: w as usize, height: h as usize, weight: weight as f32 };
            if part.x + part.width > width || part.y + part.height > height {
                return Err(format!("the box {numbers:?} reaches outside the window of {width}x{height}"));
            }
            Ok(part)
        }
        _ => Err(format!("a box is {numbers:?}, not four whole numbers and a weight")),
    }
}

fn stage(node: Node<'_, '_>, features: &[Feature]) -> Result<Stage, String> {
    let threshold = match numbers(child(node, "stageThreshold")?)?.as_slice() {
        [threshold] => *threshold as f32 - STAGE_SLACK,
        other => return Err(format!("<stageThreshold> is {other:?}, not one number")),
    };
    let stumps: Vec<Stump> =
        items(child(node, "weakClassifiers")?).map(|node| stump(node, features)).collect::<Result<_, _>>()?;
    if stumps.is_empty() { Err("a stage has no classifiers".to_owned()) } else { Ok(Stage { threshold, stumps }) }
}

fn stump(node: Node<'_, '_>, features: &[Feature]) -> Result<Stump, String> {
    let nodes = numbers(child(node, "internalNodes")?)?;
    let leaves = numbers(child(node, "leafValues")?)?;
    // Left leaf 0, right leaf 1 (written -1), feature, threshold.
    let (&[0.0, -1.0, index, threshold], &[below, above]) = (nodes.as_slice(), leaves.as_slice()) else {
        return Err("it has trees of several nodes, which are not read here: only stumps are".to_owned());
    };
    let feature = (index >= 0.0 && index.fract() == 0.0).then(|| features.get(index as usize)).flatten();
    let feature = *feature.ok_or_else(|| format!("there is no feature {index} among {}", features.len()))?;
    Ok(Stump { feature, threshold: threshold as f32, below: below as f32, above: above as f32 })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Result<Node<'a, 'input>, String> {
    let found = node.children().find(|child| child.has_tag_name(name));
    found.ok_or_else(|| format!("<{}> has no <{name}>", node.tag_name().name()))
}

/// OpenCV writes the items of a list as `<_>`.
fn items<'a, 'input: 'a>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(|child| child.has_tag_name("_"))
}

fn text<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

/// Read in double precision and rounded to single by the caller, as OpenCV does.
fn numbers(node: Node<'_, '_>) -> Result<Vec<f64>, String> {
    let number = |word: &str| match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("<{}> has `{word}`, which is no number", node.tag_name().name())),
    };
    text(node).split_ascii_whitespace().map(number).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::Cascade;

    /// One stage of one stump: bright below, dark above. Passed by windows of 4x4 whose lower half is the brighter.
    pub(in super::super) const SMALL: &str = "<opencv_storage><cascade type_id=\"opencv-cascade-classifier\">
        <stageType>BOOST</stageType><featureType>HAAR</featureType><height>4</height><width>4</width>
        <stages><_><stageThreshold>5e-1</stageThreshold><weakClassifiers><_>
            <internalNodes>0 -1 0 1e-3</internalNodes><leafValues>-1. 1.</leafValues></_></weakClassifiers></_></stages>
        <features><_><rects><_>0 0 4 4 -1.</_><_>0 2 4 2 2.</_></rects></_></features></cascade></opencv_storage>";

    fn parse(text: &str) -> Result<Cascade, String> {
        Cascade::parse(text, "some.xml".as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_small_cascade_is_read_whole() {
        let cascade = parse(SMALL).unwrap();
        assert_eq!(cascade.window, (4, 4));
        let [stage] = cascade.stages.as_slice() else { panic!("{cascade:?}") };
        assert_eq!(stage.threshold, 0.5 - 1e-5);
        let [stump] = stage.stumps.as_slice() else { panic!("{stage:?}") };
        assert_eq!((stump.threshold, stump.below, stump.above), (1e-3, -1.0, 1.0));
        let part = stump.feature.parts[1];
        assert_eq!((part.x, part.y, part.width, part.height, part.weight), (0, 2, 4, 2, 2.0));
        assert_eq!(stump.feature.parts[2].weight, 0.0);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let refused = |from: &str, to: &str| {
            assert!(SMALL.contains(from), "{from}");
            parse(&SMALL.replace(from, to)).unwrap_err()
        };
        assert!(refused("</opencv_storage>", "").contains("some.xml is no usable cascade"));
        assert!(refused("HAAR", "LBP").contains("<featureType> is LBP"));
        assert!(refused("<width>4<", "<width>2<").contains("<width>"));
        assert!(refused("0 -1 0 1e-3", "1 2 0 1e-3 0 -1 0 2.").contains("trees"));
        assert!(refused("0 -1 0 1e-3", "0 -1 1 1e-3").contains("no feature 1 among 1"));
        assert!(refused("0 -1 0 1e-3", "0 -1 -1 1e-3").contains("no feature -1"));
        assert!(refused("-1. 1.", "-1. nan").contains("`nan`"));
        assert!(refused("0 2 4 2 2.", "0 3 4 2 2.").contains("outside the window"));
        assert!(refused("0 2 4 2 2.", "0 2 4 2").contains("four whole numbers"));
        assert!(refused("<_>0 2 4 2 2.</_>", "").contains("1 boxes"));
        assert!(refused("</rects>", "</rects><tilted>1</tilted>").contains("tilted"));
        assert!(refused("<stageThreshold>5e-1</stageThreshold>", "").contains("<_> has no <stageThreshold>"));
    }
}
