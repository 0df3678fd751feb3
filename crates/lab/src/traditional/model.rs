//! The models of the traditional detectors: which file, and that it is the one.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::traditional::error::DetectorError;

/// A model that the results of this laboratory are made with.
#[derive(Clone, Copy, Debug)]
pub struct ModelFile {
    /// Name of the file.
    pub name: &'static str,
    /// Its sha256, in hex.
    pub sha256: &'static str,
    /// Whence it comes and how to get it.
    pub way_out: &'static str,
}

impl ModelFile {
    /// The bytes of `path` and their sha256 in hex, which is to be `expected`'s where there is one.
    pub(super) fn read(path: &Path, expected: Option<&Self>) -> Result<(Vec<u8>, String), DetectorError> {
        let bytes = std::fs::read(path).map_err(|source| {
            let path = path.to_owned();
            match (source.kind(), expected) {
                (std::io::ErrorKind::NotFound, Some(model)) => DetectorError::Missing { path, way_out: model.way_out },
                _ => DetectorError::Read { path, source },
            }
        })?;
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        match expected {
            Some(model) if found != model.sha256 => {
                let (expected, way_out) = (model.sha256, model.way_out);
                Err(DetectorError::WrongHash { path: path.to_owned(), found, expected, way_out })
            }
            _ => Ok((bytes, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ModelFile;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_is_read_if_it_is_the_one() {
        let scratch = Scratch::new();
        let path = scratch.file("model.bin", b"abc").path().join("model.bin");
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let model = ModelFile { name: "model.bin", sha256, way_out: "fetch it" };
        let whole = || Ok((b"abc".to_vec(), sha256.to_owned()));
        let read = |path: &str, expected| {
            ModelFile::read(&scratch.path().join(path), expected).map_err(|error| error.to_string())
        };
        assert_eq!(read("model.bin", Some(&model)), whole());
        let missing = read("gone.bin", Some(&model)).unwrap_err();
        assert!(missing.ends_with("gone.bin is missing: fetch it"), "{missing}");
        assert!(read("gone.bin", None).unwrap_err().starts_with("cannot read"));
        let other = ModelFile { sha256: "00", ..model };
        let wrong = read("model.bin", Some(&other)).unwrap_err();
        assert_eq!(wrong, format!("{} has sha256 {sha256} instead of 00: fetch it", path.display()));
        assert_eq!(read("model.bin", None), whole());
    }
}
