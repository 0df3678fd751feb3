//! Work shared over threads: how the laboratory uses many cores.

use std::sync::{Mutex, PoisonError, mpsc};

/// Does every job with what its thread has opened, and gives what that made to `take`, on the caller's thread and in any order. A thread
/// opens when it gets its first job. Ends at the first error, of a thread or of `take`.
///
/// # Errors
/// That one.
pub fn each<J, W, T: Send, E: Send, F: From<E>>(
    jobs: impl Iterator<Item = J> + Send,
    threads: usize,
    open: impl Fn() -> Result<W, E> + Sync,
    work: impl Fn(&mut W, J) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), F>,
) -> Result<(), F> {
    let threads = threads.max(1);
    let jobs = Mutex::new(jobs);
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (made, results) = mpsc::sync_channel::<Result<T, E>>(threads);
    let all = |made: &mpsc::SyncSender<_>| -> Result<(), E> {
        let mut opened = None;
        while let Some(job) = next() {
            let own = match &mut opened {
                Some(own) => own,
                none => none.insert(open()?),
            };
            // Nobody wants to know any more when something else has failed.
            if made.send(Ok(work(own, job)?)).is_err() {
                break;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (made, all) = (made.clone(), &all);
            scope.spawn(move || {
                if let Err(error) = all(&made) {
                    // As above.
                    drop(made.send(Err(error)));
                }
            });
        }
        // The threads have senders of their own: the last one that ends, ends the taking. On an error the receiver goes, which ends them.
        drop(made);
        results.into_iter().try_for_each(|result| take(result?))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::each;

    #[test]
    fn every_job_is_done_once_by_no_more_threads_than_there_are_jobs() {
        for (jobs, threads) in [(0, 3), (1, 3), (50, 0), (50, 1), (50, 3), (3, 99)] {
            let opened = AtomicUsize::new(0);
            let open = || Ok::<_, String>(opened.fetch_add(1, Ordering::Relaxed));
            let mut made = Vec::new();
            let done = each(
                0..jobs,
                threads,
                open,
                |_, job| Ok(2 * job),
                |twice| {
                    made.push(twice);
                    Ok::<_, String>(())
                },
            );
            done.unwrap();
            made.sort_unstable();
            assert_eq!(made, (0..jobs).map(|job| 2 * job).collect::<Vec<_>>());
            let opened = opened.into_inner();
            assert!(opened <= threads.max(1).min(jobs) && (jobs == 0 || opened > 0), "{jobs} jobs, {threads} threads");
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        // More than are done before it is seen, by far.
        const JOBS: usize = 10_000_000;
        let refuse = |of: &str, is: bool| if is { Err(of.to_owned()) } else { Ok(()) };
        for threads in [1, 3] {
            for at in ["open", "work", "take"] {
                let worked = AtomicUsize::new(0);
                let work = |(): &mut (), job: usize| {
                    worked.fetch_add(1, Ordering::Relaxed);
                    refuse("work", at == "work" && job == 2).map(|()| job)
                };
                let open = || refuse("open", at == "open");
                let outcome = each(0..JOBS, threads, open, work, |job| refuse("take", at == "take" && job == 2));
                assert_eq!(outcome, Err(at.to_owned()));
                assert!(worked.into_inner() < JOBS, "{at}: all jobs were done");
            }
        }
    }
}
