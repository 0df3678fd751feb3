//! What was collected, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use sightline_vision::QualityReason;
use sightline_wire::VisitId;

use super::groups::Likeness;
use crate::report::plot::{self, Words};
use crate::report::{Column, Mark, Mistake, Page, Picture, Run, Table};

/// Most pictures on the page.
const SHOWN: usize = 120;

/// A visit of which something was saved.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Kept {
    pub(super) visit: VisitId,
    /// Whose folder it went to.
    pub(super) person: String,
    /// Seconds since the stream began.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Saved of it.
    pub(super) pictures: usize,
    /// Of the best of them.
    pub(super) quality: f32,
    /// With what there was of the person before; none for somebody new, or where names are given.
    pub(super) likeness: Option<f64>,
    /// With everybody else, most alike first.
    pub(super) others: Vec<Likeness>,
}

impl Kept {
    /// What is said while more is collected.
    pub(super) fn line(&self) -> String {
        let Self { person, from, to, pictures, quality, .. } = self;
        let pictures = number_of(*pictures, "picture");
        let like = self.likeness.map(|likeness| format!(", {likeness:.2} alike")).unwrap_or_default();
        format!("{from:.1} s to {to:.1} s: {person}, {pictures}, best quality {quality:.2}{like}")
    }
}

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Collected {
    /// The source, without passwords.
    pub(super) source: String,
    /// Why there was no more.
    pub(super) ending: String,
    /// Frames of the stream.
    pub(super) decoded: u64,
    /// Of those that were to be looked at, how many this machine was too slow for.
    pub(super) dropped: u64,
    /// Frames of no use.
    pub(super) unusable: u64,
    /// How many were looked at.
    pub(super) frames: u64,
    /// How long the stream was.
    pub(super) seconds: f64,
    /// Faces in them.
    pub(super) faces: u64,
    /// Visits of which something was saved.
    pub(super) visits: Vec<Kept>,
    /// Visits of which nothing was good enough, by what was wrong with most of their faces.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// Least likeness of two visits of one person, where that decides.
    pub(super) cluster: Option<f64>,
    /// The crops.
    pub(super) files: Vec<String>,
    /// What is to be known where this very file was collected before.
    pub(super) again: Option<String>,
}

/// Such as `1 visit` and `2 visits`.
pub(super) fn number_of(count: impl TryInto<u64>, thing: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// What is said where the list of the pictures has so many of this file already.
pub(super) fn again(log: &Path, pictures: usize) -> Option<String> {
    let (had, they) = (number_of(pictures, "picture"), if pictures == 1 { "it" } else { "they" });
    let text = format!(
        "{} has {had} of this file already: {they} will be there twice, as if it were another visit",
        log.display()
    );
    (pictures > 0).then_some(text)
}

impl Collected {
    /// What is shown beside the count of frames while more is collected.
    pub(super) fn counted(&self) -> String {
        let (visits, pictures) = (number_of(self.visits.len(), "visit"), number_of(self.files.len(), "picture"));
        format!("{}, {visits}, {pictures} saved; frames", number_of(self.faces, "face"))
    }

    /// A visit of which nothing was good enough.
    pub(super) fn refuse(&mut self, flaw: Option<QualityReason>) {
        *self.refused.entry(flaw.map_or("unclear", QualityReason::as_str)).or_default() += 1;
    }

    /// Why nothing was collected, and what may help.
    pub(super) fn nothing(&self, min_face: f32) -> String {
        let Self { source, frames, seconds, faces, .. } = self;
        let looked = format!("{source}: nothing was collected. In {} ({seconds:.1} s)", number_of(*frames, "frame"));
        let refused: u64 = self.refused.values().sum();
        if *faces == 0 {
            return format!("{looked} there was no face; a lower --threshold, or --width 0 for far ones, finds more");
        }
        if refused == 0 {
            return format!(
                "{looked} there was no face for longer than a moment ({} in all); a higher --fps sees more",
                number_of(*faces, "face")
            );
        }
        let flaws: Vec<String> = self.refused.iter().map(|(flaw, count)| format!("{count} {flaw}")).collect();
        let flaws = flaws.join(", ");
        format!(
            "{looked} {} had no picture that is good enough ({flaws}); faces are saved from {min_face} \
             pixels on (--min-face)",
            number_of(refused, "visit")
        )
    }

    /// Visits that look like two people enough to be either's.
    fn doubtful(&self) -> impl Iterator<Item = (&Kept, &Likeness)> {
        let least = self.cluster.unwrap_or(f64::INFINITY);
        self.visits.iter().flat_map(move |kept| {
            kept.others.iter().filter(move |other| other.cosine >= least).map(move |other| (kept, other))
        })
    }

    /// People who may be one, to be looked at.
    pub(super) fn doubts(&self) -> Vec<String> {
        let mut pairs: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for (kept, other) in self.doubtful() {
            let (a, b) = (kept.person.as_str(), other.person.as_str());
            let most = pairs.entry((a.min(b), a.max(b))).or_insert(other.cosine);
            *most = most.max(other.cosine);
        }
        let doubt = |((a, b), cosine)| format!("{a} and {b} may be one person: a visit is {cosine:.2} like the other");
        self.again.iter().cloned().chain(pairs.into_iter().map(doubt)).collect()
    }

    /// What happened.
    pub(super) fn figures(&self) -> Table {
        let mut table = Table::new([Column::text("figure"), Column::text("value")]);
        let refused: Vec<String> = self.refused.iter().map(|(flaw, count)| format!("{count} {flaw}")).collect();
        let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
        let people: BTreeSet<&str> = self.visits.iter().map(|kept| kept.person.as_str()).collect();
        table.row(["source", &self.source]);
        table.row(["ended", &self.ending]);
        table.row(["seconds", &format!("{:.1}", self.seconds)]);
        table.row(["frames decoded", &self.decoded.to_string()]);
        table.row(["frames looked at", &self.frames.to_string()]);
        table.row(["frames there was no time for", &self.dropped.to_string()]);
        table.row(["frames that cannot be used", &self.unusable.to_string()]);
        table.row(["faces found", &self.faces.to_string()]);
        table.row(["visits", &self.visits.len().to_string()]);
        table.row(["visits without a good picture", &refused]);
        table.row(["people", &people.len().to_string()]);
        table.row(["pictures saved", &self.files.len().to_string()]);
        table
    }

    /// Person by person.
    pub(super) fn people(&self) -> Table {
        let mut table = Table::new([
            Column::text("person"),
            Column::number("visits"),
            Column::number("pictures"),
            Column::number("best quality"),
            Column::number("least alike"),
        ]);
        let mut people: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
        for kept in &self.visits {
            people.entry(&kept.person).or_default().push(kept);
        }
        for (person, visits) in people {
            let pictures: usize = visits.iter().map(|kept| kept.pictures).sum();
            let quality = visits.iter().map(|kept| kept.quality).fold(0.0, f32::max);
            let alike = visits.iter().filter_map(|kept| kept.likeness).min_by(f64::total_cmp);
            table.row([
                person,
                &visits.len().to_string(),
                &pictures.to_string(),
                &format!("{quality:.2}"),
                &alike.map_or_else(String::new, |alike| format!("{alike:.2}")),
            ]);
        }
        table
    }

    /// The page, with the pictures in `root`.
    ///
    /// # Errors
    /// When the plotting library fails.
    pub(super) fn page(&self, run: &Run, root: &Path) -> anyhow::Result<Page> {
        let mut page = Page::new("Collected faces");
        page.section("Figures").table(&self.figures());
        page.section("People").table(&self.people());
        for doubt in self.doubts() {
            page.warning(&doubt);
        }
        if !self.files.is_empty() {
            page.section("Pictures");
            if self.files.len() > SHOWN {
                page.text(&format!("The first {SHOWN} of {}.", self.files.len()));
            }
            let shown = self.files.iter().take(SHOWN).map(|file| {
                // A picture that is gone by now is shown as missing.
                Mistake::new(file, vec![Picture::read(&root.join(file), "")])
            });
            page.mistakes(&shown.collect::<Vec<_>>());
        }
        if let Some(cluster) = self.cluster {
            let own: Vec<f64> = self.visits.iter().filter_map(|kept| kept.likeness).collect();
            let other: Vec<f64> =
                self.visits.iter().filter_map(|kept| kept.others.first()).map(|other| other.cosine).collect();
            let words = Words {
                title: "Likeness of visits",
                about: "Of each visit with the person it was put to, and with the most alike of all others. What lies near the mark is \
                        worth a look.",
                score: "likeness",
                of: "visits",
            };
            let groups = [("its own person", &*own), ("the most alike of the others", &*other)];
            let figure = plot::histogram(words, groups, &[Mark::new("cluster", cluster)])?;
            page.section("Likeness").figure(&figure);
        }
        page.run(run);
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::QualityReason;

    use super::{Collected, Kept, Likeness, Run, again};

    fn kept(person: &str, likeness: Option<f64>, others: &[(&str, f64)]) -> Kept {
        let others = others.iter().map(|(person, cosine)| Likeness { person: (*person).to_owned(), cosine: *cosine });
        Kept {
            visit: "lab-1-0-0".parse().unwrap(),
            person: person.to_owned(),
            from: 1.0,
            to: 3.5,
            pictures: 1,
            quality: 0.75,
            likeness,
            others: others.collect(),
        }
    }

    #[test]
    fn people_who_may_be_one_are_named_once() {
        let visits = vec![
            kept("person-001", None, &[]),
            kept("person-002", None, &[("person-001", 0.6)]),
            kept("person-002", Some(0.8), &[("person-001", 0.7)]),
            kept("person-001", Some(0.9), &[("person-002", 0.66), ("person-003", 0.1)]),
        ];
        let collected = Collected { visits, cluster: Some(0.65), ..Collected::default() };
        assert_eq!(collected.doubts(), ["person-001 and person-002 may be one person: a visit is 0.70 like the other"]);
        let people = collected.people().to_string();
        assert!(people.contains("person-001       2         2          0.75         0.90"), "{people}");
        let named = Collected { cluster: None, ..collected };
        assert!(named.doubts().is_empty());
    }

    #[test]
    fn the_plot_speaks_of_visits() {
        let visits = vec![kept("person-001", None, &[]), kept("person-002", Some(0.8), &[("person-001", 0.6)])];
        let collected = Collected { visits, cluster: Some(0.65), ..Collected::default() };
        let html = collected.page(&Run::start("collect", "0"), "nowhere".as_ref()).unwrap().html();
        for text in ["share of visits", "its own person", "visits: 1<"] {
            assert!(html.contains(text), "{text}");
        }
        assert!(!html.contains("pairs"));
    }

    #[test]
    fn one_is_counted_as_one_and_a_file_that_comes_again_is_doubted() {
        let visits = vec![kept("anna", None, &[])];
        let mut collected = Collected { visits, faces: 1, files: vec!["a".to_owned()], ..Collected::default() };
        assert_eq!(collected.counted(), "1 face, 1 visit, 1 picture saved; frames");
        assert!(again("people/faces.jsonl".as_ref(), 0).is_none());
        collected.again = again("people/faces.jsonl".as_ref(), 3);
        let said = "people/faces.jsonl has 3 pictures of this file already: they will be there twice, as if it were another visit";
        assert_eq!(collected.doubts(), [said]);
    }

    #[test]
    fn a_visit_is_told_in_a_line() {
        let line = kept("anna", Some(0.834), &[]).line();
        assert_eq!(line, "1.0 s to 3.5 s: anna, 1 picture, best quality 0.75, 0.83 alike");
    }

    #[test]
    fn nothing_has_its_reason() {
        let mut collected = Collected { source: "a.mp4".to_owned(), frames: 12, seconds: 2.4, ..Collected::default() };
        let why = collected.nothing(40.0);
        assert!(why.starts_with("a.mp4: nothing was collected. In 12 frames (2.4 s) there was no face"), "{why}");
        collected.faces = 3;
        assert!(collected.nothing(40.0).contains("no face for longer than a moment (3 faces in all)"));
        collected.refuse(Some(QualityReason::Small));
        collected.refuse(Some(QualityReason::Small));
        collected.refuse(None);
        let why = collected.nothing(40.0);
        assert!(why.contains("3 visits") && why.contains("2 small, 1 unclear") && why.contains("40 pixels"), "{why}");
    }
}
