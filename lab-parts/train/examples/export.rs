//! `export FEATURES.json EMBEDDER.onnx OUT`: trains heads, writes them alone and behind the embedder, and what they give.
#![allow(clippy::print_stdout, reason = "it says what it wrote")]

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use labtrain::{
    ClassifierConfig, ClassifierTrainer, EmbeddingConfig, FeatureSet, Head, Sample, Start, Trainer, append, export,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Face {
    person: String,
    image: String,
    vector: Vec<f32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [features, embedder, out] = arguments.as_slice() else { return Err("FEATURES.json EMBEDDER.onnx OUT".into()) };
    let faces: Vec<Face> = serde_json::from_slice(&fs::read(features)?)?;
    let samples = faces.into_iter().map(|Face { person, image, vector }| Sample { person, image, vector });
    let set = FeatureSet::new(samples.collect())?;
    let embedder = fs::read(embedder)?;

    let network =
        EmbeddingConfig { hidden: Some(256), dropout: 0.3, start: Start::Random, ..EmbeddingConfig::default() };
    let classifier_config = ClassifierConfig { epochs: 3, ..ClassifierConfig::default() };
    let mut classifier = ClassifierTrainer::new(&set.with_images(5).0, classifier_config)?;
    classifier.trainer.run(|_| ControlFlow::Continue(()))?;
    let heads = [
        ("linear", trained(&set, EmbeddingConfig::default())?),
        ("network", trained(&set, network)?),
        ("classifier", classifier.classifier().head()),
    ];
    for (name, head) in heads {
        write(Path::new(out), name, &head, &embedder, &set)?;
    }
    Ok(())
}

fn trained(set: &FeatureSet, config: EmbeddingConfig) -> Result<Head, Box<dyn Error>> {
    let mut trainer = Trainer::embedding(set, config)?;
    let outcome = trainer.run(|_| ControlFlow::Continue(()))?;
    println!("{outcome:?}, best {:?}", trainer.best());
    Ok(trainer.head().clone())
}

fn write(out: &Path, name: &str, head: &Head, embedder: &[u8], set: &FeatureSet) -> Result<(), Box<dyn Error>> {
    let combined = append(embedder, head)?;
    fs::write(out.join(format!("{name}.onnx")), export(head)?)?;
    fs::write(out.join(format!("facenet-{name}.onnx")), &combined.bytes)?;
    let rows = &set.rows()[..64 * set.dimension()];
    let answers = head.apply(rows)?;
    fs::write(out.join(format!("{name}.json")), serde_json::to_vec(&(rows, answers))?)?;
    println!("{name}: {} numbers, output `{}`", combined.dimension, combined.output);
    Ok(())
}
