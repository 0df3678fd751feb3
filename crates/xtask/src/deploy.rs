//! The deployment files, checked without a container engine: alert rules by promtool, the Dockerfile by hadolint, its scripts by bash.

use anyhow::Result;

use crate::cache::{Cache, workspace};
use crate::command::Step;
use crate::setup;

pub(crate) fn run(cache: &Cache) -> Result<()> {
    let folder = workspace().join("deploy");
    let promtool = |words: &[&str]| Step::new("promtool").args(words).folder(&folder.join("prometheus")).run();
    promtool(&["check", "config", "prometheus.yml"])?;
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["test", "rules", "alerts.test.yml"])?;
    setup::linters(cache)?;
    Step::new(cache.path(setup::HADOLINT)).arg("Dockerfile").folder(&folder).run()?;
    image_scripts(cache)
}

/// What the Dockerfile's RUN lines do, here: the packages of the running image are installed, the binary is built into a folder.
fn image_scripts(cache: &Cache) -> Result<()> {
    let scripts = workspace().join("deploy/image");
    let target = cache.path("image");
    if target.exists() {
        std::fs::remove_dir_all(&target)?;
    }
    Step::new(scripts.join("build.sh")).arg(&target).environment(cache).run()?;
    if Step::new("id").arg("-u").output()?.trim() == "0" {
        Step::new(scripts.join("runtime.sh")).run()?;
    } else {
        println!("not root: runtime.sh, which installs packages, is not run");
    }
    let share = target.join("usr/share/sightline");
    Step::new(target.join("usr/local/bin/sightline"))
        .args(["models", "verify"])
        .folder(&target)
        .env("SIGHTLINE_CACHE", &share)
        .run()?;
    Ok(std::fs::remove_dir_all(target)?)
}
