//! Who is whom: visits put together by the likeness of their faces. Pure.

use std::collections::BTreeMap;

use crate::faces::cosine;

/// People, by what they looked like.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// The least likeness of two visits of one person.
    threshold: f64,
    /// Person and unit vector.
    looks: Vec<(String, Vec<f32>)>,
}

/// A person, and how much a visit looks like them.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Likeness {
    pub(super) person: String,
    /// The best cosine with anything that the person looked like.
    pub(super) cosine: f64,
}

/// What is thought of a visit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Whose it is, if it is somebody's who is known.
    pub(super) own: Option<Likeness>,
    /// The others that it looks like, most alike first: those from the threshold on may be the same person.
    pub(super) others: Vec<Likeness>,
}

impl Groups {
    /// Nobody is known.
    pub(super) const fn new(threshold: f64) -> Self {
        Self { threshold, looks: Vec::new() }
    }

    /// The least likeness of two visits of one person.
    pub(super) const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// A person looks like this, too.
    pub(super) fn add(&mut self, person: &str, vector: Vec<f32>) {
        self.looks.push((person.to_owned(), vector));
    }

    /// Whose visit it is: of the most alike, if they are alike enough.
    pub(super) fn judge(&self, vector: &[f32]) -> Verdict {
        let mut best: BTreeMap<&str, f64> = BTreeMap::new();
        for (person, look) in &self.looks {
            let likeness = cosine(vector, look);
            best.entry(person).and_modify(|best| *best = best.max(likeness)).or_insert(likeness);
        }
        let mut ranked: Vec<Likeness> =
            best.into_iter().map(|(person, cosine)| Likeness { person: person.to_owned(), cosine }).collect();
        ranked.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        let known = ranked.first().is_some_and(|first| first.cosine >= self.threshold);
        let own = known.then(|| ranked.remove(0));
        Verdict { own, others: ranked }
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

    fn at(degrees: f32) -> Vec<f32> {
        let (sin, cos) = degrees.to_radians().sin_cos();
        vec![cos, sin]
    }

    #[test]
    fn a_visit_belongs_to_the_most_alike_from_the_threshold_on() {
        // cos 36.9 degrees is 0.8.
        let mut groups = Groups::new(0.8);
        assert_eq!(groups.judge(&at(0.0)), super::Verdict::default());
        groups.add("a", at(0.0));
        groups.add("b", at(60.0));
        groups.add("a", at(-30.0));
        let near_a = groups.judge(&at(10.0));
        let own = near_a.own.unwrap();
        assert!(own.person == "a" && (own.cosine - 10_f64.to_radians().cos()).abs() < 1e-6, "{own:?}");
        assert_eq!(near_a.others.len(), 1);
        // Between the two, and like both.
        let between = groups.judge(&at(29.0));
        assert_eq!(between.own.unwrap().person, "a");
        assert!(between.others[0].person == "b" && between.others[0].cosine >= groups.threshold());
        // A stranger, with the nearest first.
        let stranger = groups.judge(&at(150.0));
        assert_eq!(stranger.own, None);
        assert_eq!(stranger.others.iter().map(|other| other.person.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }
}
