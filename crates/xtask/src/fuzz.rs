//! `cargo xtask fuzz`: every parser of `tests/fuzz` under libFuzzer, guided by coverage. What it learns stays in the cache folder, and what
//! made a target fail is tried first the next time.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cache::{Cache, workspace};
use crate::command::Step;
use crate::setup;

/// The stable compiler has no option of its own for what libFuzzer wants to see.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Clink-arg=-Wl,--push-state,--whole-archive,-l:libasan.a,--pop-state";

/// For libjpeg-turbo: what it reads or writes past a buffer, ours included, is found. It gives no coverage.
const C_FLAGS: &str = "-fsanitize=address";

/// Named, so that the flags are for our code and not for build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

const LIMITS: [&str; 3] = ["-max_len=16384", "-rss_limit_mb=512", "-timeout=10"];

pub(crate) fn run(cache: &Cache, target: Option<&str>, seconds: u32) -> Result<()> {
    let names = chosen(target)?;
    setup::run(cache)?;
    let built = cache.path("fuzz");
    let build = Step::cargo(cache)
        .env("CARGO_TARGET_DIR", &built)
        .env("RUSTFLAGS", FLAGS)
        .env("CFLAGS_x86_64_unknown_linux_gnu", C_FLAGS);
    let manifest = workspace().join("tests/fuzz/Cargo.toml");
    build.args(["build", "--locked", "--release", "--target", TRIPLE, "--manifest-path"]).arg(manifest).run()?;
    let failed: Vec<String> =
        names.iter().filter_map(|name| fuzz(&built, name, seconds).err()).map(|error| format!("{error:#}")).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("{} of {} targets failed:\n{}", failed.len(), names.len(), failed.join("\n")),
    }
}

fn chosen(target: Option<&str>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace().join("tests/fuzz/src/bin"))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    match target {
        None => Ok(names),
        Some(target) if names.iter().any(|name| name == target) => Ok(vec![target.to_owned()]),
        Some(target) => bail!("there is no target `{target}`, only {}", names.join(", ")),
    }
}

fn fuzz(built: &Path, name: &str, seconds: u32) -> Result<()> {
    let (corpus, findings) = (built.join("corpus").join(name), built.join("findings").join(name));
    for folder in [&corpus, &findings] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let log = built.join(format!("{name}.log"));
    let status = Command::new(built.join(TRIPLE).join("release").join(name))
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .args([&corpus, &findings])
        .env("SIGHTLINE_FUZZ_SEEDS", &corpus)
        .env("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=16")
        .stderr(File::create(&log)?)
        .status()
        .with_context(|| format!("{name} cannot be started"))?;
    let said = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    let last = |word: &str| said.lines().rev().find(|line| line.contains(word)).unwrap_or_default().trim().to_owned();
    println!("{name:16} {}", last(" cov: "));
    match status.success() {
        true => Ok(()),
        false => bail!("{name}: {}, see {}", last("Test unit written to"), log.display()),
    }
}
