//! `compare FEATURES.json [CONFIG.json]`: the comparison as a table, and as JSON beside it.
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::error::Error;
use std::ops::ControlFlow;

use labtrain::{CompareConfig, FeatureSet, Sample, compare};
use serde::Deserialize;

#[derive(Deserialize)]
struct Face {
    person: String,
    image: String,
    vector: Vec<f32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let faces: Vec<Face> = serde_json::from_slice(&std::fs::read(arguments.next().ok_or("which features?")?)?)?;
    let samples = faces.into_iter().map(|Face { person, image, vector }| Sample { person, image, vector });
    let set = FeatureSet::new(samples.collect())?;
    let config: CompareConfig =
        arguments.next().map_or(Ok(CompareConfig::default()), |text| serde_json::from_str(&text))?;
    let done = compare(&set, &config, |_, _| ControlFlow::Continue(()))?.ok_or("interrupted")?;
    for run in &done.runs {
        println!(
            "seed {}: training {:?}, test {:?}, pairs {} same {} different, epochs {} best {}: {:?}",
            run.seed,
            run.training,
            run.test,
            run.same_pairs,
            run.different_pairs,
            run.epochs,
            run.best_epoch,
            run.true_accept.iter().map(|(_, value)| (value * 1e4).round() / 1e4).collect::<Vec<_>>()
        );
    }
    for row in &done.summaries {
        println!(
            "{:12} {:.4} ± {:.4} ({:.4} to {:.4})  lead {:+.4} ± {:.4}",
            format!("{:?}", row.method),
            row.mean,
            row.deviation,
            row.range.0,
            row.range.1,
            row.lead.0,
            row.lead.1
        );
    }
    Ok(())
}
