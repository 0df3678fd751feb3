//! The page: tables, one picture of all methods, and the worst mistakes of each.

use super::{Faces, Measured, Results, tables};
use crate::dataset::Dataset;
use crate::faces::cosine;
use crate::metrics::identification::{Sample, Searches, Split};
use crate::report::{Curve, Mistake, Page, Picture, Run, Table, plot};

/// Worst mistakes of each kind that are shown.
const WORST: usize = 12;

/// The page of these results. `faces` and `searches` are those of each method, in its order.
pub(super) fn page(
    run: &Run,
    [drawn, figures]: &[Table; 2],
    results: &Results,
    (dataset, faces, searches): (&Dataset, &[Faces<'_>], &[Vec<Searches>]),
) -> anyhow::Result<Page> {
    let mut page = Page::new("Identification");
    for failure in &results.failed {
        page.warning(failure);
    }
    page.section("People and probes").table(drawn);
    page.section("Figures").table(figures);
    for remark in tables::remarks(results) {
        page.text(&remark);
    }
    page.text(
        "FPIR: share of the strangers' probes for which anybody is found. DIR: share of the enrolled people's probes for which the right \
         person is found, first and above the threshold; FNIR is 1 - DIR. The splits share people and pictures, so the standard error is \
         that of the draw, not of other people: that is what the 95 % intervals (Clopper and Pearson) are for, over the splits from the \
         least low end to the greatest high end.",
    );
    let curve = |(method, searches): (&Measured, &Vec<Searches>)| {
        let points = searches.first().map(Searches::curve).unwrap_or_default();
        Curve::new(&method.name, points.into_iter().map(|point| (point.fpir, 1.0 - point.fnir)).collect())
    };
    let curves: Vec<Curve> = results.methods.iter().zip(searches).map(curve).collect();
    page.section("Curve of the first split").figure(&plot::dir(&curves, &[])?);
    if let Some(split) = results.splits.first() {
        for (method, faces) in results.methods.iter().zip(faces) {
            for (kind, probes) in [
                ("Strangers, most alike somebody", &split.non_mated),
                ("Enrolled, taken for somebody else", &split.mated),
            ] {
                let mistakes = worst(split, probes, faces);
                let shown = mistakes.iter().map(|mistake| mistake.shown(dataset, faces)).collect::<Vec<_>>();
                page.section(&format!("{kind}: {} (first split)", method.name)).mistakes(&shown);
            }
        }
    }
    page.run(run);
    Ok(page)
}

/// A probe and the template of another person that is most like it.
#[derive(Debug, PartialEq)]
struct Taken {
    probe: Sample,
    template: Sample,
    score: f64,
}

impl Taken {
    fn shown(&self, dataset: &Dataset, faces: &Faces<'_>) -> Mistake {
        let files = [&self.probe, &self.template].map(|sample| faces.file(sample));
        let picture = |file: &str| Picture::read(&dataset.root().join(file), file);
        let title = format!("taken for {}, score {:.3}", dataset.classes()[self.template.person], self.score);
        Mistake::new(&title, files.into_iter().map(picture).collect())
    }
}

/// The probes whose best template is of another person, the surest first.
fn worst(split: &Split, probes: &[Sample], faces: &Faces<'_>) -> Vec<Taken> {
    let taken = |probe: &Sample| {
        let vector = faces.vector(probe)?;
        let score = |template: &Sample| Some((cosine(vector, faces.vector(template)?), *template));
        let best = split.gallery.iter().filter_map(score).max_by(|a, b| a.0.total_cmp(&b.0));
        let (score, template) = best.filter(|(_, template)| template.person != probe.person)?;
        Some(Taken { probe: *probe, template, score })
    };
    let mut taken: Vec<Taken> = probes.iter().filter_map(taken).collect();
    taken.sort_by(|a, b| b.score.total_cmp(&a.score));
    taken.truncate(WORST);
    taken
}

#[cfg(test)]
mod tests {
    use super::super::Faces;
    use super::{Taken, worst};
    use crate::metrics::identification::{Sample, Split};

    #[test]
    fn who_is_taken_for_whom_most_surely_first() {
        let vectors: [&[[f32; 2]]; 4] =
            [&[[1.0, 0.0], [0.8, 0.6]], &[[0.0, 1.0], [0.6, 0.8]], &[[0.0, -1.0]], &[[0.28, 0.96]]];
        let of_person = vectors.map(|of| of.iter().map(|vector| ("", Some(&vector[..]))).collect()).into();
        let faces = Faces { of_person };
        let sample = |person, picture| Sample { person, picture };
        let split = Split {
            seed: 1,
            gallery: vec![sample(0, 0), sample(1, 1)],
            mated: vec![sample(0, 1), sample(1, 0)],
            non_mated: vec![sample(2, 0), sample(3, 0)],
        };
        let found = |probes: &[Sample]| -> Vec<(Sample, Sample)> {
            worst(&split, probes, &faces).into_iter().map(|Taken { probe, template, .. }| (probe, template)).collect()
        };
        // (.8, .6) is like (1, 0) by .8, and like (.6, .8) by .96.
        assert_eq!(found(&split.mated), [(sample(0, 1), sample(1, 1))]);
        assert_eq!(found(&split.non_mated), [(sample(3, 0), sample(1, 1)), (sample(2, 0), sample(0, 0))]);
    }
}
