//! How far the resident set of this process rose while something ran.

use std::fs;

/// Does `work`, and tells by how many bytes the peak of the resident set lay above what it was before. `None` where the
/// system does not tell (Linux does).
pub(super) fn growth<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    // From now on the peak is that of the work (proc(5), clear_refs).
    let watched = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = status("VmRSS");
    let done = work();
    let after = status("VmHWM").filter(|_| watched);
    (done, after.zip(before).map(|(after, before)| after.saturating_sub(before)))
}

/// A field of this process's status, in bytes.
fn status(field: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn what_is_used_and_given_back_is_seen() {
        let big = 64 << 20;
        let (sum, grown) = growth(|| vec![1_u8; big].iter().map(|&byte| usize::from(byte)).sum::<usize>());
        assert_eq!(sum, big);
        // Other tests of this process run beside it: only a lower limit is sure.
        assert!(grown.is_none_or(|grown| grown >= (big as u64) * 9 / 10), "{grown:?}");
    }
}
