//! How fast each detector is on pictures that are decoded already, on one thread and on many.
//!
//! The detectors take turns picture by picture, each turn begun by another one, so that whatever else the machine does hits all alike.
//! Everything is measured in several rounds, of which the one in the middle counts. Beside the time that passed stands the time that a core
//! worked: where they differ, the machine was busy with something else.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::search::Team;
use crate::finders::{Finder, FinderError, Purpose};
use crate::material::{LeftOut, Material, Shown};
use crate::metrics::statistics::median;
use crate::progress::Progress;

/// Most memory for pictures that are measured with.
const MEMORY: usize = 512 << 20;

/// Pictures that each of many threads looks at, at the least: the last one to finish must not decide.
const A_THREAD: usize = 4;

/// Pictures a second, decoding not counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// On one thread.
    pub one_thread: f64,
    /// The slowest and the fastest of the rounds on one thread.
    pub range: (f64, f64),
    /// Milliseconds that a core worked on a picture, on one thread.
    pub core_ms: f64,
    /// How many times as long pictures took on one thread as a core worked on them: about 1 on a machine that does nothing else.
    pub waited: f64,
    /// On all threads, a picture a thread.
    pub all_threads: f64,
    /// How many these are.
    pub threads: usize,
    /// How many pictures it was measured on.
    pub pictures: usize,
    /// How many times.
    pub rounds: usize,
}

/// Up to `count` decoded pictures, evenly spread over all but those left out; fewer when they are very large.
pub(super) fn sample(material: &Material, left_out: &[LeftOut], count: usize) -> Vec<Shown> {
    let out: HashSet<&str> = left_out.iter().map(|one| one.file.as_str()).collect();
    let items = material.items();
    let all: Vec<usize> = (0..items.len()).filter(|index| !out.contains(items[*index].name.as_str())).collect();
    let count = count.min(all.len());
    let wanted: Vec<usize> = (0..count).map(|nth| all[nth * all.len() / count]).collect();
    let (mut shown, mut bytes) = (Vec::new(), 0);
    material.show(&wanted, |_, coming| {
        if let Ok(one) = coming.open() {
            bytes += one.bytes();
            if shown.is_empty() || bytes <= MEMORY {
                shown.push(one);
            }
        }
        bytes < MEMORY
    });
    shown
}

/// Seconds that a picture took on one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Took {
    /// As they passed.
    passed: f64,
    /// Those that a core worked.
    core: f64,
}

/// Seconds that a core has worked for this thread.
fn core_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The speed of every detector of the team, in its order.
pub(super) fn measure(team: Team<'_>, pictures: &[Shown], rounds: usize) -> Result<Vec<Speed>, FinderError> {
    let open = |name: &str| {
        (0..team.threads.max(1)).map(|_| team.finders.open(name, Purpose::Use)).collect::<Result<Vec<_>, _>>()
    };
    let mut finders = team.chosen.iter().map(|one| open(&one.name)).collect::<Result<Vec<Vec<Finder>>, _>>()?;
    let progress = Progress::new("measuring, detector by detector", (rounds * (pictures.len() + 1)) as u64);
    let mut single = vec![vec![vec![Took::default(); pictures.len()]; rounds]; finders.len()];
    let mut many = vec![vec![0.0; rounds]; finders.len()];
    for round in 0..rounds {
        for (nth, shown) in pictures.iter().enumerate() {
            for detector in turns(finders.len(), round + nth) {
                let (began, core) = (Instant::now(), core_seconds());
                finders[detector][0].detect(shown.picture())?;
                single[detector][round][nth] =
                    Took { passed: began.elapsed().as_secs_f64(), core: core_seconds() - core };
            }
            progress.advance(1);
        }
        for detector in turns(finders.len(), round) {
            many[detector][round] = on_all(&mut finders[detector], pictures)?;
        }
        progress.advance(1);
    }
    let speed = |(single, many): (&Vec<Vec<Took>>, &Vec<f64>)| speed_of(single, many, team.threads);
    Ok(single.iter().zip(&many).map(speed).collect())
}

/// Every detector once, begun by another one each time.
fn turns(count: usize, first: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |nth| (first + nth) % count)
}

/// Pictures a second with a detector on every thread.
fn on_all(finders: &mut [Finder], pictures: &[Shown]) -> Result<f64, FinderError> {
    let passes = (A_THREAD * finders.len()).div_ceil(pictures.len().max(1));
    let (next, count) = (AtomicUsize::new(0), passes * pictures.len());
    let work = |finder: &mut Finder| -> Result<(), FinderError> {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                return Ok(());
            }
            finder.detect(pictures[nth % pictures.len()].picture())?;
        }
    };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = finders.iter_mut().map(|finder| scope.spawn(|| work(finder))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// From what every picture took in every round, and the pictures a second of every round on many threads.
fn speed_of(took: &[Vec<Took>], many: &[f64], threads: usize) -> Speed {
    let pictures = took.first().map_or(0, Vec::len);
    let sums = |of: fn(&Took) -> f64| -> Vec<f64> { took.iter().map(|round| round.iter().map(of).sum()).collect() };
    let (passed, core) = (sums(|one| one.passed), sums(|one| one.core));
    let rate = |seconds: &f64| if *seconds > 0.0 { pictures as f64 / seconds } else { 0.0 };
    let rates: Vec<f64> = passed.iter().map(rate).collect();
    let (all, worked): (f64, f64) = (passed.iter().sum(), core.iter().sum());
    Speed {
        range: (rates.iter().copied().fold(f64::INFINITY, f64::min), rates.iter().copied().fold(0.0, f64::max)),
        one_thread: median(rates).unwrap_or_default(),
        core_ms: 1000.0 * median(core).unwrap_or_default() / pictures.max(1) as f64,
        waited: if worked > 0.0 { all / worked } else { 1.0 },
        all_threads: median(many.to_vec()).unwrap_or_default(),
        threads,
        pictures,
        rounds: took.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Took, core_seconds, speed_of, turns};

    #[test]
    fn every_detector_begins_in_turn() {
        let of = |first| turns(3, first).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2), of(3)], [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }

    #[test]
    fn the_round_in_the_middle_counts() {
        // One round was disturbed; the others took 0.5 and 0.4 seconds for both pictures.
        let took = |seconds: [f64; 2]| seconds.map(|passed| Took { passed, core: 0.1 }).to_vec();
        let speed = speed_of(&[took([0.1, 0.4]), took([0.1, 9.9]), took([0.1, 0.3])], &[7.0, 1.0, 8.0], 2);
        assert!((speed.one_thread - 2.0 / 0.5).abs() < 1e-12, "{speed:?}");
        assert!((speed.range.0 - 0.2).abs() < 1e-12 && (speed.range.1 - 5.0).abs() < 1e-12, "{speed:?}");
        assert!((speed.core_ms - 100.0).abs() < 1e-9 && (speed.waited - 10.9 / 0.6).abs() < 1e-9, "{speed:?}");
        assert_eq!((speed.all_threads, speed.threads, speed.pictures, speed.rounds), (7.0, 2, 2, 3));
    }

    #[test]
    fn a_core_works_while_something_is_computed_and_not_while_it_is_waited_for() {
        let (began, core) = (Instant::now(), core_seconds());
        std::thread::sleep(Duration::from_millis(30));
        let (passed, slept) = (began.elapsed().as_secs_f64(), core_seconds() - core);
        assert!(passed >= 0.03 && slept < passed / 2.0, "{passed} {slept}");
        let core = core_seconds();
        while core_seconds() - core < 0.01 {}
        assert!(began.elapsed().as_secs_f64() >= passed + 0.01);
    }
}
