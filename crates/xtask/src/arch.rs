//! `cargo xtask arch`: proves the crate map of ARCHITECTURE.md.
//!
//! Which crate may know a native library, which crates may know each other, where `unsafe` may be, and that every file says what it is and is
//! no longer than a reader can hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cache::workspace;

/// Dependency (or its beginning, with `*`), and the only crates that may have it.
const ONLY: &[(&str, &[&str])] = &[
    ("ort", &["sightline-infer"]),
    ("gstreamer*", &["sightline-ingest", "sightline-testkit"]),
    ("gio", &["sightline-ingest"]),
    ("faiss*", &["sightline-index"]),
    ("rusqlite", &["sightline-store"]),
    // The laboratory writes ONNX, which is protobuf.
    ("prost*", &["sightline-wire", "sightline-lab"]),
    ("protox", &["sightline-wire"]),
    ("async-nats", &["sightline-stage"]),
    ("turbojpeg", &["sightline-vision"]),
    ("metrics-exporter-prometheus", &["sightline-stage"]),
    ("axum", &["sightline-gateway", "sightline-stage"]),
    ("hyper*", &["sightline-stage"]),
    ("chacha20poly1305", &["sightline-stage"]),
    // What only the laboratory needs stays out of the workers.
    ("candle*", &["sightline-lab"]),
    ("linfa*", &["sightline-lab"]),
    ("nalgebra*", &["sightline-lab"]),
    ("ndarray*", &["sightline-lab"]),
    ("plotters*", &["sightline-lab"]),
    ("rustface", &["sightline-lab"]),
    ("statrs", &["sightline-lab"]),
];

/// Which crates of ours a crate may know, [`IN_TESTS`] aside.
const ARROWS: &[(&str, &[&str])] = &[
    ("sightline-vision", &[]),
    ("sightline-wire", &["vision"]),
    ("sightline-infer", &["vision"]),
    ("sightline-stage", &["wire"]),
    ("sightline-store", &["wire"]),
    ("sightline-ingest", &["vision", "wire", "stage"]),
    ("sightline-detect", &["vision", "wire", "stage", "infer"]),
    ("sightline-track", &["vision", "wire", "stage"]),
    ("sightline-embed", &["vision", "wire", "stage", "infer"]),
    ("sightline-index", &["vision", "wire", "stage", "store"]),
    ("sightline-gateway", &["vision", "wire", "stage"]),
    ("sightline-lab", &["vision", "wire", "stage", "infer", "ingest", "track"]),
    ("sightline-testkit", &["vision"]),
    (
        "sightline",
        &["vision", "wire", "stage", "infer", "ingest", "detect", "track", "embed", "index", "store", "gateway"],
    ),
    ("sightline-tests", &["vision", "wire", "stage", "ingest", "store", "testkit"]),
    ("xtask", &[]),
];

/// Any crate's tests may know these: the kit, and the pure one that makes pictures.
const IN_TESTS: &[&str] = &["testkit", "vision"];

/// Crates that bind native code.
const MAY_BE_UNSAFE: &[&str] = &["sightline-infer", "sightline-ingest", "sightline-index", "sightline-testkit"];

/// Lines before the tests. Longer files want to be two.
const LONGEST_FILE: usize = 400;

/// A crate of the workspace.
#[derive(Clone, Debug, Default)]
struct Crate {
    name: String,
    folder: PathBuf,
    dependencies: Vec<String>,
    /// For tests only.
    dev_dependencies: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let crates = crates()?;
    let document = std::fs::read_to_string(workspace().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let mut wrong = Vec::new();
    for one in &crates {
        wrong.extend(check_dependencies(one));
        wrong.extend(check_sources(one)?);
        wrong.extend(check_lints(one, &std::fs::read_to_string(one.folder.join("Cargo.toml"))?));
        wrong.extend(check_metrics(one, &document)?);
    }
    if wrong.is_empty() {
        println!("{} crates keep to the map", crates.len());
        return Ok(());
    }
    bail!("{} breaches of the architecture:\n{}", wrong.len(), wrong.join("\n"))
}

fn crates() -> Result<Vec<Crate>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let text = crate::command::Step::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .folder(&workspace())
        .output()?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    packages.iter().map(read_package).collect()
}

fn read_package(package: &Value) -> Result<Crate> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("cargo metadata in another form");
    let folder = PathBuf::from(text(&package["manifest_path"])?);
    let mut one = Crate {
        name: text(&package["name"])?,
        folder: folder.parent().map(Path::to_owned).unwrap_or_default(),
        ..Crate::default()
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = text(&dependency["name"])?;
        match dependency["kind"].as_str() {
            Some("dev") => one.dev_dependencies.push(name),
            _ => one.dependencies.push(name),
        }
    }
    Ok(one)
}

fn check_dependencies(one: &Crate) -> Vec<String> {
    let mut wrong = Vec::new();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let Some(allowed) = arrows.get(one.name.as_str()) else {
        return vec![format!("{}: the crate map does not have it", one.name)];
    };
    for dependency in &one.dependencies {
        for (pattern, owners) in ONLY {
            if matches(pattern, dependency) && !owners.contains(&one.name.as_str()) {
                wrong.push(format!("{}: only {} may know {dependency}", one.name, owners.join(", ")));
            }
        }
        if let Some(other) = dependency.strip_prefix("sightline-")
            && !allowed.contains(&other)
        {
            wrong.push(format!("{}: may not know {dependency}", one.name));
        }
    }
    for dependency in &one.dev_dependencies {
        let ours = dependency.strip_prefix("sightline-");
        if ours.is_some_and(|other| !IN_TESTS.contains(&other) && !allowed.contains(&other)) {
            wrong.push(format!("{}: may not know {dependency}, not even in tests", one.name));
        }
    }
    wrong
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

fn check_sources(one: &Crate) -> Result<Vec<String>> {
    let mut files = Vec::new();
    match one.folder.join("src").is_dir() {
        true => {
            for folder in ["src", "tests", "benches", "examples"] {
                collect(&one.folder.join(folder), &mut files)?;
            }
        }
        // The end-to-end tests have no folder of their own.
        false => collect(&one.folder, &mut files)?,
    }
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let shown = file.strip_prefix(&one.folder).unwrap_or(&file).display().to_string();
        let is_test = shown.starts_with("tests/") || shown.ends_with("tests.rs");
        wrong.extend(check_text(&text, is_test).into_iter().map(|why| format!("{}/{shown}: {why}", one.name)));
    }
    Ok(wrong)
}

fn check_text(text: &str, is_test: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if !is_test && !text.starts_with("//!") {
        wrong.push("does not begin with `//!`, which says what it is".to_owned());
    }
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    if !is_test && lines > LONGEST_FILE {
        wrong.push(format!("{lines} lines before its tests, more than {LONGEST_FILE}"));
    }
    wrong
}

/// The workspace's lints forbid `unsafe`; a crate that binds native code has a copy of them with a reason.
fn check_lints(one: &Crate, manifest: &str) -> Option<String> {
    let inherits = manifest.contains("[lints]\nworkspace = true");
    let may = MAY_BE_UNSAFE.contains(&one.name.as_str());
    (!inherits && !may).then(|| format!("{}: has lints of its own, so `unsafe` may not be forbidden in it", one.name))
}

/// A metric that is not in the document's list is one that nobody finds.
fn check_metrics(one: &Crate, document: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    collect(&one.folder.join("src"), &mut files)?;
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let missing = metrics(&text).filter(|name| !document.contains(&format!("`{name}`")));
        wrong.extend(missing.map(|name| format!("{}: ARCHITECTURE.md does not list the metric `{name}`", one.name)));
    }
    Ok(wrong)
}

/// The metrics that a source names in full, without the beginning that all have.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split("\"sightline_").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name).filter(is_name)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Crate, check_dependencies, check_lints, check_text, metrics};

    fn named(name: &str, dependencies: &[&str]) -> Crate {
        let dependencies = dependencies.iter().map(|&name| name.to_owned()).collect();
        Crate { name: name.to_owned(), dependencies, ..Crate::default() }
    }

    #[test]
    fn metrics_are_found_by_their_whole_names() {
        let text = "counter!(\"sightline_a_total\", \"stage\" => s); // \"sightline_b{x}\" and sightline_c\nF: &str = \"sightline_d\";";
        assert_eq!(metrics(text).collect::<Vec<_>>(), ["a_total", "d"]);
    }

    #[test]
    fn arrows_against_the_map_are_found() {
        assert!(check_dependencies(&named("sightline-detect", &["sightline-infer", "tracing"])).is_empty());
        assert_eq!(check_dependencies(&named("sightline-detect", &["sightline-track"])).len(), 1);
        assert_eq!(check_dependencies(&named("sightline-detect", &["ort"])).len(), 1);
        assert_eq!(check_dependencies(&named("sightline-gateway", &["gstreamer-app"])).len(), 1);
        assert_eq!(check_dependencies(&named("sightline-new", &[])).len(), 1);
        let mut in_tests = named("sightline-track", &[]);
        in_tests.dev_dependencies = vec!["sightline-testkit".to_owned()];
        assert!(check_dependencies(&in_tests).is_empty());
        in_tests.dev_dependencies.push("sightline-embed".to_owned());
        assert_eq!(check_dependencies(&in_tests).len(), 1);
    }

    #[test]
    fn files_are_checked() {
        assert!(check_text("//! What.\nfn a() {}", false).is_empty());
        assert_eq!(check_text("fn a() {}", false).len(), 1);
        assert_eq!(check_text(&format!("//! What.\n{}", "x\n".repeat(400)), false).len(), 1);
        assert!(check_text(&format!("//! What.\n#[cfg(test)]\n{}", "x\n".repeat(900)), false).is_empty());
    }

    #[test]
    fn lints_of_its_own_are_for_native_code_only() {
        let inherits = "[package]
[lints]
workspace = true
";
        assert!(check_lints(&named("sightline-track", &[]), inherits).is_none());
        assert!(
            check_lints(
                &named("sightline-track", &[]),
                "[lints.rust]
"
            )
            .is_some()
        );
        assert!(
            check_lints(
                &named("sightline-index", &[]),
                "[lints.rust]
"
            )
            .is_none()
        );
    }
}
