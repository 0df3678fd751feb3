//! Visits made of still pictures, and their scores.
//!
//! Pictures of which it is known are in the visit in which they were taken; each person's others are drawn into visits that
//! share no picture. A visit's fused vector is scored with everybody's pictures as templates, its own pictures aside.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sightline_vision::fuse;

use crate::faces::cosine;
use crate::metrics::calibration::Visit;
use crate::progress::Progress;

/// A face that the pipeline would use.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Face {
    pub(super) person: usize,
    pub(super) file: String,
    /// The number of the visit in which it was taken, where that is known.
    pub(super) visit: Option<usize>,
    /// From its quality.
    pub(super) weight: f32,
    pub(super) vector: Vec<f32>,
}

/// The pictures of one visit, as places in the list of faces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) person: usize,
    /// Those that are fused.
    pub(super) faces: Vec<usize>,
    /// All of the visit: none of them is a template for it.
    pub(super) all: Vec<usize>,
}

/// What there is of a person to make visits of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Material {
    /// Visits that are known.
    pub(super) visits: usize,
    /// Pictures of which no visit is known.
    pub(super) pictures: usize,
}

impl Material {
    /// Of each person, from the people and visits of the pictures.
    pub(super) fn of(people: usize, pictures: impl Iterator<Item = (usize, Option<usize>)>) -> Vec<Self> {
        let mut material = vec![Self::default(); people];
        let mut known = BTreeSet::new();
        for (person, visit) in pictures {
            match visit {
                Some(visit) => material[person].visits += usize::from(known.insert(visit)),
                None => material[person].pictures += 1,
            }
        }
        material
    }

    /// How many visits of so many pictures come of it.
    pub(super) fn possible(self, pictures: usize) -> usize {
        self.visits + if self.pictures < 2 { self.pictures } else { (self.pictures / pictures).max(2) }
    }
}

/// A visit and its fused vector.
type Fused<'a> = (&'a Group, Vec<f32>);

/// What the visits are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Visits.
    pub visits: usize,
    /// Those that are known to be one; the others were drawn.
    pub known: usize,
    /// Visits of fewer pictures than asked for, because the person has no more: fusing fewer pictures gives scores that vary
    /// more, so these make the thresholds stricter than they need be.
    pub shorter: usize,
    /// Visits of a person of whom there is no picture from outside of it: they stand for strangers only.
    pub of_strangers_only: usize,
}

/// The known visits, of which the best `pictures` are fused, and then drawn ones of so many. Who has fewer than two drawn visits'
/// worth gets two shorter ones, so that each has templates from outside of it; a single picture is one visit. Pictures
/// beyond whole visits are templates only.
pub(super) fn draw(people: usize, faces: &[Face], pictures: usize, seed: u64) -> Vec<Group> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut groups = Vec::new();
    for person in 0..people {
        let mut known: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut other = Vec::new();
        for (index, face) in faces.iter().enumerate().filter(|(_, face)| face.person == person) {
            match face.visit {
                Some(visit) => known.entry(visit).or_default().push(index),
                None => other.push(index),
            }
        }
        groups.extend(known.into_values().map(|all| Group { person, faces: best(faces, &all, pictures), all }));
        random.shuffle(&mut other);
        let size = if other.len() < 2 * pictures { other.len().div_ceil(2) } else { pictures };
        let whole = other.chunks(size.max(1)).filter(|chunk| chunk.len() == size || other.len() < 2 * pictures);
        groups.extend(whole.map(|drawn| Group { person, faces: drawn.to_vec(), all: drawn.to_vec() }));
    }
    groups
}

/// Those of the best quality, as the pipeline chooses them.
fn best(faces: &[Face], of: &[usize], count: usize) -> Vec<usize> {
    let mut best = of.to_vec();
    best.sort_by(|a, b| faces[*b].weight.total_cmp(&faces[*a].weight));
    best.truncate(count);
    best
}

pub(super) fn made(people: usize, faces: &[Face], groups: &[Group], pictures: usize) -> Made {
    let mut counts = vec![0_usize; people];
    for face in faces {
        counts[face.person] += 1;
    }
    let count = |which: &dyn Fn(&Group) -> bool| groups.iter().filter(|group| which(group)).count();
    Made {
        visits: groups.len(),
        known: count(&|group| group.all.iter().any(|face| faces[*face].visit.is_some())),
        shorter: count(&|group| group.faces.len() < pictures),
        of_strangers_only: count(&|group| counts[group.person] == group.all.len()),
    }
}

/// The visits with their scores.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    /// In the order of the groups. One whose vectors cancel out has no score and is left out.
    pub(super) visits: Vec<Visit>,
    /// Of each visit the best cosine with another one of the same person, where there is one.
    pub(super) same: Vec<f64>,
}

/// Scores the visits.
pub(super) fn score(people: usize, faces: &[Face], groups: &[Group], progress: &Progress) -> Scored {
    let vectors = |group: &Group| -> Option<Vec<f32>> {
        fuse(group.faces.iter().map(|&index| (faces[index].weight, faces[index].vector.as_slice())))
    };
    let fused: Vec<Fused<'_>> = groups.iter().filter_map(|group| Some((group, vectors(group)?))).collect();
    let one = |(group, vector): &Fused<'_>| {
        let mut scores: Vec<Option<f64>> = vec![None; people];
        for (index, face) in faces.iter().enumerate() {
            if face.person == group.person && group.all.contains(&index) {
                continue;
            }
            let score = cosine(vector, &face.vector);
            let best = &mut scores[face.person];
            *best = Some(best.map_or(score, |best| best.max(score)));
        }
        let (own, others): (Vec<&Fused<'_>>, Vec<&Fused<'_>>) =
            fused.iter().filter(|(other, _)| other != group).partition(|(other, _)| other.person == group.person);
        let nearest = |visits: Vec<&Fused<'_>>| visits.iter().map(|(_, v)| cosine(vector, v)).max_by(f64::total_cmp);
        progress.advance(1);
        (Visit { person: Some(group.person), scores, nearest_other_visit: nearest(others) }, nearest(own))
    };
    let (visits, same): (Vec<Visit>, Vec<Option<f64>>) = fused.iter().map(one).unzip();
    Scored { visits, same: same.into_iter().flatten().collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Face, Group, Made, Material, Scored, draw, made, score};
    use crate::progress::Progress;

    fn face(person: usize, weight: f32, vector: [f32; 2]) -> Face {
        Face { person, file: format!("{person}"), visit: None, weight, vector: vector.to_vec() }
    }

    fn of(counts: &[usize]) -> Vec<Face> {
        let faces = counts.iter().enumerate().flat_map(|(person, &count)| vec![face(person, 1.0, [1.0, 0.0]); count]);
        faces.collect()
    }

    fn sizes(counts: &[usize], pictures: usize) -> Vec<Vec<usize>> {
        let groups = draw(counts.len(), &of(counts), pictures, 7);
        let of = |person| groups.iter().filter(|group| group.person == person).map(|group| group.faces.len()).collect();
        (0..counts.len()).map(of).collect()
    }

    #[test]
    fn visits_have_so_many_pictures_where_there_are_enough() {
        let sizes = sizes(&[0, 1, 2, 3, 5, 6, 8, 9], 3);
        let expected: [&[usize]; 8] = [&[], &[1], &[1, 1], &[2, 1], &[3, 2], &[3, 3], &[3, 3], &[3, 3, 3]];
        assert_eq!(sizes, expected);
        assert_eq!(self::sizes(&[1, 2, 4], 1), [vec![1], vec![1, 1], vec![1; 4]]);
    }

    #[test]
    fn what_was_made_is_counted() {
        let counts = [1, 2, 6];
        let faces = of(&counts);
        let groups = draw(3, &faces, 3, 7);
        assert_eq!(made(3, &faces, &groups, 3), Made { visits: 5, known: 0, shorter: 3, of_strangers_only: 1 });
        assert_ne!(draw(3, &of(&[6, 6, 6]), 3, 1), draw(3, &of(&[6, 6, 6]), 3, 2));
    }

    #[test]
    fn a_known_visit_is_one_and_no_template_of_its_own() {
        // Four pictures of one visit, two of another one, and one that nobody knows of; then a person with one visit.
        let visits = [Some(0), Some(0), Some(0), Some(0), Some(1), Some(1), None, Some(2), Some(2)];
        let weights = [0.2, 0.9, 0.4, 0.8, 0.5, 0.6, 0.7, 0.5, 0.5];
        let faces: Vec<Face> = (0..9)
            .map(|index| {
                // All of one visit look the same, and a little like the other one.
                let vector = if index < 4 { [1.0, 0.0] } else { [0.6, 0.8] };
                Face { visit: visits[index], ..face(usize::from(index > 6), weights[index], vector) }
            })
            .collect();
        let groups = draw(2, &faces, 2, 7);
        let group = |person, faces: &[usize], all: &[usize]| Group { person, faces: faces.to_vec(), all: all.to_vec() };
        let expected = [
            group(0, &[1, 3], &[0, 1, 2, 3]),
            group(0, &[5, 4], &[4, 5]),
            group(0, &[6], &[6]),
            group(1, &[7, 8], &[7, 8]),
        ];
        assert_eq!(groups, expected);
        assert_eq!(made(2, &faces, &groups, 2), Made { visits: 4, known: 3, shorter: 1, of_strangers_only: 1 });
        let visits = score(2, &faces, &groups, &Progress::hidden()).visits;
        // Not 1, which the two pictures of the visit that were not fused would give.
        assert!((visits[0].scores[0].unwrap() - 0.6).abs() < 1e-6, "{visits:?}");
        assert_eq!((visits[3].person, visits[3].scores[1]), (Some(1), None));
        let material = Material::of(2, faces.iter().map(|face| (face.person, face.visit)));
        assert_eq!(material, [Material { visits: 2, pictures: 1 }, Material { visits: 1, pictures: 0 }]);
        assert_eq!(material.iter().map(|one| one.possible(3)).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn scores_by_hand() {
        let faces = [
            face(0, 0.75, [1.0, 0.0]),
            face(0, 0.25, [0.0, 1.0]),
            face(0, 1.0, [0.8, 0.6]),
            face(1, 1.0, [0.6, 0.8]),
            face(1, 1.0, [0.0, -1.0]),
            face(2, 1.0, [-1.0, 0.0]),
        ];
        let group = |person, faces: &[usize]| Group { person, faces: faces.to_vec(), all: faces.to_vec() };
        let groups = [group(0, &[0, 1]), group(1, &[3]), group(2, &[5])];
        let Scored { visits, same } = score(3, &faces, &groups, &Progress::hidden());
        assert!(same.is_empty(), "one visit a person: {same:?}");
        // The first visit points to (.9487, .3162): with its own third picture .8 * .9487 + .6 * .3162.
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-6, "{found:?} instead of {expected}");
        };
        near(visits[0].scores[0], 0.948_683);
        near(visits[0].scores[1], 0.822_192);
        near(visits[0].scores[2], -0.948_683);
        near(visits[0].nearest_other_visit, 0.822_192);
        near(visits[1].scores[0], 0.96);
        near(visits[1].scores[1], -0.8);
        near(visits[1].nearest_other_visit, 0.822_192);
        // Nothing of the third person but the visit itself.
        assert_eq!((visits[2].person, visits[2].scores[2]), (Some(2), None));
        near(visits[2].scores[1], 0.0);
        let groups = [group(0, &[0]), group(0, &[2]), group(1, &[3])];
        let same = score(3, &faces, &groups, &Progress::hidden()).same;
        assert!(same.len() == 2 && same.iter().all(|score| (score - 0.8).abs() < 1e-6), "{same:?}");
    }

    proptest! {
        #[test]
        fn no_picture_is_in_two_visits_and_the_count_is_foretold(
            counts in prop::collection::vec(0_usize..12, 1..6), pictures in 1_usize..5, seed in any::<u64>(),
        ) {
            let faces = of(&counts);
            let groups = draw(counts.len(), &faces, pictures, seed);
            let mut used: Vec<usize> = groups.iter().flat_map(|group| group.faces.clone()).collect();
            let all = used.len();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), all);
            let material = Material::of(counts.len(), faces.iter().map(|face| (face.person, face.visit)));
            prop_assert_eq!(groups.len(), material.iter().map(|one| one.possible(pictures)).sum::<usize>());
            prop_assert!(groups.iter().all(|group| (1..=pictures).contains(&group.faces.len())));
            // Whoever has two pictures has a template outside of each visit.
            let outside = |group: &Group| counts[group.person] == 1 || counts[group.person] > group.faces.len();
            prop_assert!(groups.iter().all(outside));
        }
    }
}
