//! What was found right the last time, so that nothing is hashed twice: size and time of each file with its hash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cache::Cache;

const FILE: &str = "setup.json";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stamp {
    files: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    modified_ns: u64,
    sha256: String,
}

impl Stamp {
    /// An unreadable one is an empty one: then everything is hashed again.
    pub(super) fn read(cache: &Cache) -> Self {
        let text = std::fs::read_to_string(cache.path(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, cache: &Cache) -> Result<()> {
        let beside = cache.path("setup.json.part");
        std::fs::write(&beside, serde_json::to_string_pretty(self)?)?;
        Ok(std::fs::rename(beside, cache.path(FILE))?)
    }

    /// Whether the file is there and has the hash. One that has changed since the last time is hashed again.
    pub(super) fn is_good(&mut self, cache: &Cache, name: &str, expected: &str) -> Result<bool> {
        let path = cache.path(name);
        let Ok((size, modified_ns)) = look(&path) else { return Ok(false) };
        let known = self.files.get(name).filter(|seen| (seen.size, seen.modified_ns) == (size, modified_ns));
        if known.is_some_and(|seen| seen.sha256 == expected) {
            return Ok(true);
        }
        let good = sha256(&path)? == expected;
        if good {
            self.record(cache, name, expected)?;
        }
        Ok(good)
    }

    /// Remembers a file that has just been found right.
    pub(super) fn record(&mut self, cache: &Cache, name: &str, sum: &str) -> Result<()> {
        let (size, modified_ns) = look(&cache.path(name))?;
        self.files.insert(name.to_owned(), Seen { size, modified_ns, sha256: sum.to_owned() });
        Ok(())
    }
}

fn look(path: &Path) -> Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?;
    Ok((metadata.len(), u64::try_from(modified.as_nanos())?))
}

/// Of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => digest.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Stamp, sha256};
    use crate::cache::Cache;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_hash_is_sha256() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "abc").unwrap();
        assert_eq!(sha256(&folder.path().join("f")).unwrap(), ABC);
    }

    #[test]
    fn missing_broken_and_changed_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let mut stamp = Stamp::read(&cache);
        assert!(!stamp.is_good(&cache, "f", ABC).unwrap());
        std::fs::write(cache.path("f"), "ab").unwrap();
        assert!(!stamp.is_good(&cache, "f", ABC).unwrap());
        std::fs::write(cache.path("f"), "abc").unwrap();
        assert!(stamp.is_good(&cache, "f", ABC).unwrap());
        stamp.write(&cache).unwrap();
        let mut again = Stamp::read(&cache);
        assert!(again.files.contains_key("f") && again.is_good(&cache, "f", ABC).unwrap());
        std::fs::write(cache.path("f"), "abd!").unwrap();
        assert!(!again.is_good(&cache, "f", ABC).unwrap());
    }
}
