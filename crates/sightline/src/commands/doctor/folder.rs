//! Whether a folder can be written to, or made.

use std::io;
use std::path::Path;

use super::Outcome;

pub(super) fn writable(folder: &Path) -> Outcome {
    let shown = folder.display();
    let mend = |place: &Path, error: io::Error| {
        format!("{shown}: {}: {error}: give another data_dir, or the right to write there", place.display())
    };
    let nearest = nearest(folder);
    try_out(nearest).map_err(|error| mend(nearest, error))?;
    Ok(if folder.is_dir() { shown.to_string() } else { format!("{shown} will be made by the first start") })
}

/// The folder itself or, if it is not there, the nearest one above it that is.
fn nearest(folder: &Path) -> &Path {
    let above = folder.ancestors().find(|place| place.symlink_metadata().is_ok());
    above.unwrap_or_else(|| if folder.is_absolute() { Path::new("/") } else { Path::new(".") })
}

/// The system's answer to a real attempt is the only one that counts.
fn try_out(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let probe = folder.join(format!(".sightline-doctor-{}", std::process::id()));
    std::fs::File::create_new(&probe)?;
    std::fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::{nearest, writable};

    #[test]
    fn what_is_not_there_is_judged_by_what_is_above_it_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("a/b");
        assert!(writable(&wanted).unwrap().contains("will be made"));
        assert!(!wanted.exists() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
        std::fs::write(folder.path().join("a"), "").unwrap();
        let message = writable(&wanted).unwrap_err();
        assert!(message.contains("a/b") && message.contains("give another data_dir"), "{message}");
        symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(writable(&folder.path().join("link")).is_err());
        assert_eq!(writable(folder.path()).unwrap(), folder.path().display().to_string());
        assert_eq!(nearest(Path::new("not/here")), Path::new("."));
    }
}
