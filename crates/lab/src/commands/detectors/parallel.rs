//! The pictures of some material on several threads: decoded, looked at, and handed over on the caller's thread.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use crate::finders::FinderError;
use crate::material::{Coming, Material, Shown};

/// Material, the pictures of it that are to be looked at, and on how many threads.
pub(super) type Work<'a> = (&'a Material, &'a [usize], usize);

/// Decodes the pictures, has each seen by what one thread has opened, and gives what was seen, or why a picture cannot be decoded, to
/// `take`, in any order. Ends at the first error.
pub(super) fn each<W, T: Send>(
    (material, items, threads): Work<'_>,
    open: impl Fn() -> Result<W, FinderError> + Sync,
    see: impl Fn(&mut W, usize, &Shown) -> Result<T, FinderError> + Sync,
    mut take: impl FnMut(usize, Result<T, String>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads = threads.clamp(1, items.len().max(1));
    let (jobs, waiting) = mpsc::sync_channel::<(usize, Coming)>(threads);
    let (seen, results) = mpsc::sync_channel::<Result<(usize, Result<T, String>), FinderError>>(threads);
    // The threads alone hold it: when they are all gone, nobody decodes any more.
    let waiting = Arc::new(Mutex::new(waiting));
    let work = |waiting: &Mutex<mpsc::Receiver<(usize, Coming)>>, seen: &mpsc::SyncSender<_>| {
        let mut own = open()?;
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((item, coming)) = next else { return Ok(()) };
            let result = coming
                .open()
                .map(|shown| see(&mut own, item, &shown))
                .map_or_else(|reason| Ok(Err(reason)), |seen: Result<T, FinderError>| seen.map(Ok))?;
            // Nobody wants to know any more when something else has failed.
            if seen.send(Ok((item, result))).is_err() {
                return Ok(());
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(move || material.show(items, |item, coming| jobs.send((item, coming)).is_ok()));
        for _ in 0..threads {
            let (waiting, seen, work) = (Arc::clone(&waiting), seen.clone(), &work);
            scope.spawn(move || {
                if let Err(error) = work(&waiting, &seen) {
                    // As above.
                    drop(seen.send(Err(error)));
                }
            });
        }
        drop((waiting, seen));
        // On an error the receiver goes, which ends the threads.
        results.into_iter().try_for_each(|result| {
            let (item, seen) = result?;
            take(item, seen)
        })
    })
}
