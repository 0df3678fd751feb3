//! The pictures of some material on several threads: decoded, looked at, and handed over on the caller's thread.

use std::sync::mpsc;

use crate::finders::FinderError;
use crate::material::{Coming, Material, Shown};
use crate::parallel;

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
    let (jobs, waiting) = mpsc::sync_channel::<(usize, Coming)>(threads.max(1));
    let work = |own: &mut W, (item, coming): (usize, Coming)| {
        let seen = match coming.open() {
            Ok(shown) => Ok(see(own, item, &shown)?),
            Err(reason) => Err(reason),
        };
        Ok((item, seen))
    };
    std::thread::scope(|scope| {
        scope.spawn(move || material.show(items, |item, coming| jobs.send((item, coming)).is_ok()));
        // When it has come to an end, nobody waits for pictures any more, which ends the decoding.
        parallel::each(waiting.into_iter(), threads, open, work, |(item, seen)| take(item, seen))
    })
}
