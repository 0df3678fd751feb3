//! Which files there are, by their names.

use std::path::{Path, PathBuf};

use super::LeftOut;

/// Endings of files that are taken for videos. Whether they are shows when they are decoded.
pub(super) const VIDEOS: [&str; 15] = [
    ".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".ogv", ".3gp",
    ".mjpeg",
];

/// `clips/a.mp4#12.400`.
pub(super) fn frame_name(file: &str, pts_ns: i64) -> String {
    format!("{file}#{:.3}", pts_ns as f64 / 1e9)
}

/// The file of a picture or frame, by its name.
pub(super) fn file_of(name: &str) -> &str {
    match name.rsplit_once('#') {
        Some((file, _)) if ends(file, &VIDEOS) => file,
        _ => name,
    }
}

pub(super) fn ends(name: &str, endings: &[&str]) -> bool {
    let name = name.to_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}

/// All files below a folder, sorted by name within each, and the folders that cannot be read; links are followed, except back to a folder
/// above.
pub(super) fn walk(
    root: &Path,
    folder: &str,
    above: &mut Vec<PathBuf>,
    found: &mut (&mut Vec<String>, &mut Vec<LeftOut>),
) {
    let (real, entries) = match list(&root.join(folder)) {
        Ok(listed) => listed,
        Err(error) => return found.1.push(LeftOut { file: folder.to_owned(), reason: error.to_string() }),
    };
    if above.contains(&real) {
        return;
    }
    above.push(real);
    for (name, is_folder) in entries {
        let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if is_folder {
            walk(root, &name, above, found);
        } else {
            found.0.push(name);
        }
    }
    above.pop();
}

/// Where a folder really is, and what is in it, with whether that is a folder.
fn list(folder: &Path) -> std::io::Result<(PathBuf, Vec<(String, bool)>)> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not UTF-8 could not be written in any list.
        entries.extend(entry.file_name().into_string().map(|name| (name, entry.path().is_dir())));
    }
    entries.sort();
    Ok((folder.canonicalize()?, entries))
}
