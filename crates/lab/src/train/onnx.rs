//! Heads as ONNX: a file of their own, or behind an embedder, from the picture to the head's vector.
//!
//! ONNX is protobuf, and `prost`, which the pipeline's messages use already, is what reads and writes it here. `ort`'s editor
//! makes models for a session, not for a file; `candle-onnx` and `onnx-protobuf` have all of ONNX's messages, for `protoc` at build time or a second
//! protobuf library, and take an embedder's weights apart. The few messages of a head are in `message`, and all else stays bytes.

mod append;
mod graph;
mod message;

use prost::Message;

use crate::train::error::TrainError;
use crate::train::head::Head;
use graph::{HeadGraph, value};
use message::{Graph, Model, OperatorSet};

/// Input of a head's own file: the embedder's vectors, of any length.
pub const INPUT: &str = "features";

/// Output of a head's own file, and the name that [`append`] prefers.
pub const OUTPUT: &str = "vectors";

/// As the models that Sightline converts. Every operator of a head is as old as opset 9.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// What the free dimension is called: how many vectors there are.
const COUNT: &str = "n";

/// An embedder with a head behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Name of its output, for the manifest.
    pub output: String,
    /// Numbers in a vector of the output.
    pub dimension: usize,
}

/// The head as a model of its own, from `features` `[n, inputs]` to `vectors` `[n, outputs]`.
///
/// # Errors
/// [`TrainError::Model`] for sizes that ONNX cannot hold.
pub fn export(head: &Head) -> Result<Vec<u8>, TrainError> {
    let part = HeadGraph::new(head, INPUT, OUTPUT, "head")?;
    let graph = Graph {
        name: "head".to_owned(),
        node: part.nodes,
        initializer: part.initializers,
        input: vec![value(INPUT, COUNT, head.inputs)?],
        output: vec![value(OUTPUT, COUNT, head.outputs())?],
        ..Graph::default()
    };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "sightline".to_owned(),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        graph: Some(graph),
        ..Model::default()
    };
    Ok(model.encode_to_vec())
}

/// The embedder with the head behind it: one model from the picture to the head's vector.
///
/// Everything of the embedder stays byte for byte but its output, which becomes the head's.
///
/// # Errors
/// [`TrainError::Model`] for a file that is no ONNX model, has not one output of the head's width, keeps its weights in other
/// files, or is older than opset 9.
pub fn append(embedder: &[u8], head: &Head) -> Result<Combined, TrainError> {
    append::append(embedder, head)
}

#[cfg(test)]
mod tests;
