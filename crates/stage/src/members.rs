//! Who is there: workers announce themselves, and everybody derives the same owner for every camera.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use crate::bus::{Bus, BusError};
use crate::shutdown::Shutdown;

/// How often a worker announces itself.
const BEAT: Duration = Duration::from_secs(1);

/// A worker that has been silent for so long is gone; its cameras then move, well within the ten seconds promised.
const GONE_AFTER: Duration = Duration::from_secs(5);

/// Before the first answer a worker listens for so long: two beats of everybody who is there. One that believed itself alone at
/// first would take everything, and give it back a moment later.
const LISTEN_FIRST: Duration = Duration::from_millis(2_200);

/// Joins the workers of a role, and tells who else is there, sorted, this one included. Returns once it knows; over memory at
/// once, because there are no others.
///
/// # Errors
/// When the broker refuses the table.
pub async fn join(
    bus: &Bus,
    role: &str,
    id: &str,
    shutdown: Shutdown,
) -> Result<watch::Receiver<Vec<String>>, BusError> {
    let table = bus.table::<u64>(&format!("members_{role}")).await?;
    let entries = table.subscribe();
    let (sender, receiver) = watch::channel(vec![id.to_owned()]);
    let id = id.to_owned();
    tokio::spawn(async move {
        let mut beats = tokio::time::interval(BEAT);
        let mut seen = BTreeMap::<String, (u64, Instant)>::new();
        let mut beat = 0;
        loop {
            tokio::select! {
                _ = beats.tick() => {}
                () = shutdown.cancelled() => {
                    if let Err(error) = table.delete(&id).await {
                        tracing::debug!(%error, "the others will notice by themselves that this worker is gone");
                    }
                    return;
                }
            }
            beat += 1;
            let announced = table.put(&id, &beat).await;
            let now = Instant::now();
            if let Err(error) = announced {
                // The broker is away. Nobody can be heard, which says nothing about who is there: the list stays as it is.
                tracing::debug!(%error, "this worker could not announce itself");
                seen.values_mut().for_each(|(_, at)| *at = now);
                continue;
            }
            let current = entries.borrow().clone();
            seen.retain(|member, _| current.contains_key(member));
            for (member, beat) in current.iter() {
                let known = seen.entry(member.clone()).or_insert((*beat, now));
                if known.0 != *beat {
                    *known = (*beat, now);
                }
            }
            let mut live: Vec<String> = seen
                .iter()
                .filter(|(_, (_, at))| now.duration_since(*at) < GONE_AFTER)
                .map(|(m, _)| m.clone())
                .collect();
            if !live.contains(&id) {
                live.push(id.clone());
                live.sort();
            }
            sender.send_if_modified(|old| {
                let changed = *old != live;
                *old = live;
                changed
            });
            for (member, (_, at)) in &seen {
                // Long gone: nobody else tidies up after a worker that was killed.
                if now.duration_since(*at) > GONE_AFTER * 12 {
                    drop(table.delete(member).await);
                }
            }
        }
    });
    if bus.is_nats() {
        tokio::time::sleep(LISTEN_FIRST).await;
    }
    Ok(receiver)
}

/// The owner of a key among the members, by rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to
/// increase hit rates", 1998): when a member goes, only its keys move. `None` without members.
#[must_use]
pub fn owner_of<'a>(key: &str, members: &'a [String]) -> Option<&'a str> {
    let weight = |member: &String| Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{member}\n{key}").as_bytes()).as_u128();
    members.iter().max_by_key(|member| weight(member)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::owner_of;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_member_that_goes_takes_only_its_keys(count in 2usize..8, gone in 0usize..8, keys in 1usize..50) {
            let members: Vec<String> = (0..count).map(|i| format!("worker-{i}")).collect();
            let mut rest = members.clone();
            let gone = rest.remove(gone % count);
            for key in (0..keys).map(|i| format!("camera-{i}")) {
                let before = owner_of(&key, &members).unwrap();
                let after = owner_of(&key, &rest).unwrap();
                prop_assert!(before == gone || before == after);
            }
        }
    }

    #[test]
    fn keys_are_shared_out() {
        let members: Vec<String> = (0..4).map(|i| format!("worker-{i}")).collect();
        let mut counts = [0; 4];
        for i in 0..400 {
            let owner = owner_of(&format!("camera-{i}"), &members).unwrap();
            counts[members.iter().position(|m| m == owner).unwrap()] += 1;
        }
        assert!(counts.iter().all(|&n| (60..140).contains(&n)), "{counts:?}");
        assert_eq!(owner_of("x", &[]), None);
    }
}
