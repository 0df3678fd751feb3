//! Do a person's templates fit the person? A picture filed under the wrong name is nearer to somebody else, or far from
//! the rest.
//!
//! Every template is compared with every other: meant for the people of one installation, not for a national register.

use std::collections::BTreeMap;

use super::Warning;
use crate::metrics::error::{MetricError, finite};

/// An enrolled vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Template<'a> {
    /// Whose it is said to be.
    pub person: usize,
    /// How to tell a person which one it is.
    pub label: &'a str,
    /// The embedding, of any length but zero.
    pub vector: &'a [f32],
}

fn unit(template: &Template<'_>, index: usize, dimension: usize) -> Result<Vec<f64>, MetricError> {
    if template.vector.len() != dimension {
        let found = template.vector.len();
        return Err(MetricError::Length { what: "template", index, found, expected: dimension });
    }
    let length = template.vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    template.vector.iter().map(|v| finite(f64::from(*v) / length, "template", index)).collect()
}

/// Templates that do not fit: those that are nearer to somebody else first, the clearest first. `accept` is the
/// calibrated threshold; `stranger` is what two pictures of one person seldom fall below. (The calibrated `unknown` is
/// not that: it is about the best of all templates, and rises with their number.)
///
/// Compared is the middle cosine with a person's templates, so that one misfiled picture does not accuse the good ones
/// near it. A template is named when that is higher with somebody else than with its own person, when it is below
/// `stranger` with its own person, or when it is the only one and somebody else's reach `accept`.
///
/// # Errors
/// [`MetricError::NotFinite`] (a zero vector too), [`MetricError::Length`] and [`MetricError::NoSuchNumber`] with the
/// template's place.
pub fn template_warnings(
    people: &[String],
    templates: &[Template<'_>],
    accept: f64,
    stranger: f64,
) -> Result<Vec<Warning>, MetricError> {
    let (count, dimension) = (people.len(), templates.first().map_or(0, |template| template.vector.len()));
    let mut vectors = Vec::with_capacity(templates.len());
    for (index, template) in templates.iter().enumerate() {
        if template.person >= count {
            return Err(MetricError::NoSuchNumber { what: "template", index, number: template.person, count });
        }
        vectors.push(unit(template, index, dimension)?);
    }
    let mut warnings = Vec::new();
    for (index, template) in templates.iter().enumerate() {
        let mut cosines: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for place in (0..templates.len()).filter(|place| *place != index) {
            let cosine: f64 = vectors[index].iter().zip(&vectors[place]).map(|(a, b)| a * b).sum();
            cosines.entry(templates[place].person).or_default().push(cosine);
        }
        let own = cosines.remove(&template.person).and_then(upper_middle);
        let others = cosines.into_iter().filter_map(|(person, cosines)| Some((person, upper_middle(cosines)?)));
        let other = others.max_by(|a, b| a.1.total_cmp(&b.1));
        let nearer = other.filter(|(_, score)| own.map_or(*score >= accept, |own| *score > own));
        if nearer.is_some() || own.is_some_and(|own| own < stranger) {
            let warning = Warning::Template {
                person: people[template.person].clone(),
                template: template.label.to_owned(),
                own,
                nearer_to: nearer.map(|(person, _)| people[person].clone()),
                other: other.map(|(_, score)| score),
            };
            let lead = own.unwrap_or_default() - other.map_or(0.0, |(_, score)| score);
            warnings.push((lead, warning));
        }
    }
    warnings.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(warnings.into_iter().map(|(_, warning)| warning).collect())
}

/// The value in the middle; of two the better one, so that of two pictures one misfiled does not accuse the good one.
fn upper_middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
