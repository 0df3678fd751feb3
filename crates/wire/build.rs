//! Compiles `proto/` with protox: no protoc is needed.

use std::error::Error;
use std::path::Path;

const FILES: [&str; 5] = ["common", "frame", "frame_faces", "crop", "identify_input"];

fn main() -> Result<(), Box<dyn Error>> {
    // Relative, as everything here: a target folder may be shared by several checkouts.
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files: Vec<_> = FILES.iter().map(|name| root.join(format!("sightline/v1/{name}.proto"))).collect();
    let descriptors = protox::compile(&files, [root])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
