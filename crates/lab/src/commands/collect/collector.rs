//! From what is seen to what is saved: visits, whose they are, and what is said of them.

use std::collections::BTreeMap;

use sightline_infer::Embedder;
use sightline_vision::{Planes, fuse, weight_of};
use sightline_wire::{Stamp, VisitId, VisitNote};

use super::folder::{Files, Folder};
use super::groups::{Groups, Likeness, Verdict};
use super::results::{Collected, Kept};
use super::visit::Visit;
use super::watch::{Event, Seen, Watch};
use crate::progress::Progress;

/// People whom a visit looks like that are told of.
const OTHERS: usize = 5;

/// How visits get their names.
pub(super) enum Naming {
    /// All are of this person.
    Given(String),
    /// Those that look alike are of one person.
    ByLikeness(Box<(Embedder, Groups)>),
}

/// Collects from one stream.
pub(super) struct Collector<'a> {
    pub(super) watch: Watch,
    pub(super) naming: Naming,
    pub(super) folder: Folder,
    /// The source as people may see it.
    pub(super) camera: String,
    /// More than the best picture of each visit is saved.
    pub(super) all: bool,
    pub(super) progress: &'a Progress,
    pub(super) visits: BTreeMap<VisitId, Visit>,
    pub(super) collected: Collected,
}

impl Collector<'_> {
    /// The next frame.
    ///
    /// # Errors
    /// When a model is broken or something cannot be written.
    pub(super) fn look(&mut self, planes: &Planes, stamp: Stamp) -> anyhow::Result<()> {
        let events = self.watch.look(planes, stamp)?;
        (self.collected.frames, self.collected.faces) = (self.watch.frames, self.watch.faces);
        self.collected.seconds = stamp.pts_ns as f64 / 1e9;
        self.progress.advance(1);
        self.handle(events)
    }

    /// Saves what is left: every visit ends.
    ///
    /// # Errors
    /// As [`Collector::look`].
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let events = self.watch.finish()?;
        self.handle(events)
    }

    fn handle(&mut self, events: Vec<Event>) -> anyhow::Result<()> {
        for event in events {
            match event {
                Event::Seen(seen) => self.seen(*seen)?,
                Event::Left(note) => self.left(&note)?,
            }
        }
        self.progress.rename(&self.collected.counted());
        Ok(())
    }

    fn seen(&mut self, seen: Seen) -> anyhow::Result<()> {
        let id = seen.crop.head.visit.clone();
        let visit = self.visits.entry(id).or_default();
        visit.add(seen, &self.camera, self.all)?;
        // Whose it is need not be found out: nothing is gained by waiting.
        if let (Naming::Given(name), true) = (&self.naming, self.all) {
            let before = self.collected.files.len();
            save(&mut self.folder, &mut self.collected, name, visit, None)?;
            for file in &self.collected.files[before..] {
                self.progress.say(file);
            }
        }
        Ok(())
    }

    fn left(&mut self, note: &VisitNote) -> anyhow::Result<()> {
        let Some(mut visit) = self.visits.remove(&note.head.visit).filter(|visit| visit.saved + visit.shots.len() > 0)
        else {
            self.collected.refuse(note.flaw);
            return Ok(());
        };
        let (vector, verdict) = self.judge(&visit)?;
        let Verdict { own, mut others } = verdict;
        others.truncate(OTHERS);
        let person = match (&self.naming, &own) {
            (Naming::Given(name), _) => name.clone(),
            (Naming::ByLikeness(_), Some(own)) => own.person.clone(),
            (Naming::ByLikeness(_), None) => self.folder.next_person(),
        };
        save(&mut self.folder, &mut self.collected, &person, &mut visit, own.as_ref())?;
        if let (Naming::ByLikeness(known), Some(vector)) = (&mut self.naming, vector) {
            known.1.add(&person, vector);
        }
        let seconds = note.last_seen.pts_ns as f64 / 1e9;
        let from = seconds - note.last_seen.capture.ns_since(note.head.first_seen) as f64 / 1e9;
        let kept = Kept {
            visit: note.head.visit.clone(),
            person,
            from,
            to: seconds,
            pictures: visit.saved,
            quality: visit.best,
            likeness: own.map(|own| own.cosine),
            others,
        };
        self.progress.say(&kept.line());
        self.collected.visits.push(kept);
        Ok(())
    }

    /// The visit's vector and whose it is by that.
    fn judge(&mut self, visit: &Visit) -> anyhow::Result<(Option<Vec<f32>>, Verdict)> {
        let Naming::ByLikeness(known) = &mut self.naming else { return Ok((None, Verdict::default())) };
        let (embedder, groups) = &mut **known;
        let (qualities, faces): (Vec<f32>, Vec<_>) = visit.faces().unzip();
        let vectors = embedder.embed_crops(&faces)?;
        let weighted = qualities.iter().zip(&vectors);
        let good = weighted.filter_map(|(quality, v)| Some((weight_of(*quality), v.as_ref().ok()?.as_slice())));
        let vector = fuse(good);
        let verdict = vector.as_ref().map(|vector| groups.judge(vector)).unwrap_or_default();
        Ok((vector, verdict))
    }
}

/// Saves the pictures that wait.
fn save(
    folder: &mut Folder,
    collected: &mut Collected,
    person: &str,
    visit: &mut Visit,
    own: Option<&Likeness>,
) -> anyhow::Result<()> {
    for mut shot in visit.shots.drain(..) {
        shot.record.likeness = own.map(|own| own.cosine);
        let files = Files { crop: &shot.crop, frame: shot.frame.as_deref() };
        let file = folder.save(person, &files, &shot.record)?;
        collected.files.push(file);
        visit.saved += 1;
    }
    Ok(())
}
