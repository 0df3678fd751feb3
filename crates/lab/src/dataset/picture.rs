//! Which files are pictures: torchvision's list of extensions, and the first bytes of the file.

use std::{fs, io::Read, path::Path};

use serde::Serialize;
use thiserror::Error;

/// The endings of file names that torchvision's `ImageFolder` takes for pictures, in any case of letters.
pub const EXTENSIONS: [&str; 9] = [".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"];

/// Why a file is no sample of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// The ending is not in [`EXTENSIONS`].
    #[error("not a picture by its name")]
    NotAPicture,
    /// Named as a picture, but the first bytes are of no known picture format.
    #[error("named as a picture, but its content is none")]
    ContentIsNoPicture,
    /// A file of length zero.
    #[error("the file is empty")]
    EmptyFile,
    /// A pipe, socket or device.
    #[error("not a regular file")]
    NotAFile,
    /// The system refused to read the file or folder.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Splits and results are written as text and could not name it.
    #[error("its name is not valid UTF-8")]
    NameNotUtf8,
    /// A picture beside the folders of the people.
    #[error("lies in no person's folder")]
    InNoClass,
    /// A link to a folder above itself.
    #[error("a link back to a folder that holds it")]
    LinkLoop,
}

/// Whether a file of this name counts as a picture.
pub(super) fn is_named_as_picture(name: &str) -> bool {
    let name = name.to_lowercase();
    EXTENSIONS.iter().any(|extension| name.ends_with(extension))
}

/// Checks that the file can be read and begins like a picture. Whether the rest of it decodes is seen when it is
/// decoded. The format may differ from the extension, as it may for Pillow.
pub(super) fn check_content(path: &Path) -> Result<(), SkipReason> {
    let unreadable = |error: std::io::Error| SkipReason::Unreadable(error.to_string());
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SkipReason::NotAFile);
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut start = Vec::with_capacity(12);
    file.take(12).read_to_end(&mut start).map_err(unreadable)?;
    if start.is_empty() {
        return Err(SkipReason::EmptyFile);
    }
    if begins_like_picture(&start) { Ok(()) } else { Err(SkipReason::ContentIsNoPicture) }
}

/// Whether these first bytes belong to JPEG, PNG, PBM to PPM, BMP, TIFF or WebP.
fn begins_like_picture(start: &[u8]) -> bool {
    let known: [&[u8]; 6] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1A\n", b"BM", b"II*\0", b"MM\0*", b"II+\0"];
    known.iter().any(|signature| start.starts_with(signature))
        || matches!(start, [b'P', b'1'..=b'6', space, ..] if space.is_ascii_whitespace() || *space == b'#')
        || (start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn names_of_pictures_in_any_case() {
        for name in ["a.jpg", "a.JPG", "a.Jpeg", "a.png", "a.ppm", "a.bmp", "a.pgm", "a.tif", "a.TIFF", "a.webp"] {
            assert!(is_named_as_picture(name), "{name}");
        }
        for name in ["a.gif", "a.txt", "a.jpg.part", "jpg", "a.jsonl"] {
            assert!(!is_named_as_picture(name), "{name}");
        }
    }

    #[test]
    fn contents_of_pictures() {
        let scratch = Scratch::new();
        let check = |content: &[u8]| {
            scratch.file("a.jpg", content);
            check_content(&scratch.path().join("a.jpg"))
        };
        for content in [
            b"\xFF\xD8\xFF\xE0rest".as_slice(),
            b"\x89PNG\r\n\x1A\nrest",
            b"P6\n2 2\n255\n",
            b"P2#note\n",
            b"BMrest",
            b"II*\0rest",
            b"MM\0*rest",
            b"RIFF\x01\x02\x03\x04WEBPVP8 ",
        ] {
            assert_eq!(check(content), Ok(()), "{content:?}");
        }
        assert_eq!(check(b""), Err(SkipReason::EmptyFile));
        for content in [b"hello, this is text".as_slice(), b"\xFF\xD8", b"P7", b"P6", b"RIFF1234WAVE"] {
            assert_eq!(check(content), Err(SkipReason::ContentIsNoPicture), "{content:?}");
        }
        assert!(matches!(check_content(&scratch.path().join("gone.jpg")), Err(SkipReason::Unreadable(_))));
        assert_eq!(check_content(scratch.path()), Err(SkipReason::NotAFile));
    }
}
