//! Puts a head behind an embedder.

use std::collections::HashSet;

use prost::Message;

use super::graph::{FLOAT, HeadGraph, value};
use super::message::{Graph, Model, Node, Size, TensorPlace, ValueInfo};
use super::{COUNT, Combined, OUTPUT};
use crate::train::error::TrainError;
use crate::train::head::Head;

/// Gemm takes its bias as one row, and weights need not be inputs, from here on.
const OLDEST_OPSET: i64 = 9;
const OLDEST_IR: i64 = 4;

/// The embedder with the head behind it: one model from the picture to the head's vector.
///
/// Everything of the embedder stays byte for byte but its output, which becomes the head's.
///
/// # Errors
/// [`TrainError::Model`] for a file that is no ONNX model, has not one output of the head's width, keeps its weights in other
/// files, or is older than opset 9.
pub fn append(embedder: &[u8], head: &Head) -> Result<Combined, TrainError> {
    let mut model =
        Model::decode(embedder).map_err(|error| TrainError::Model(format!("it is no ONNX file: {error}")))?;
    let opset = model.opset_import.iter().find(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    let opset = opset.map(|set| set.version).ok_or_else(|| refuse("it names no operator set of ONNX"))?;
    if opset < OLDEST_OPSET {
        return Err(refuse(&format!("its operator set {opset} is older than {OLDEST_OPSET}")));
    }
    // Since then weights may be no inputs; what was valid before still is.
    model.ir_version = model.ir_version.max(OLDEST_IR);
    let graph = model.graph.as_mut().ok_or_else(|| refuse("it has no graph"))?;
    let names = names(graph)?;
    let (features, count) = output(graph, head.inputs)?;
    let output = unused(OUTPUT, |name| names.contains(name));
    let prefix = unused("head", |prefix| names.iter().any(|name| name.starts_with(&format!("{prefix}/"))));
    let part = HeadGraph::new(head, &features, &output, &prefix)?;
    graph.node.extend(part.nodes);
    graph.initializer.extend(part.initializers);
    // What was the output is a value inside now.
    graph.value_info.append(&mut graph.output);
    graph.output.push(value(&output, &count, head.outputs())?);
    Ok(Combined { bytes: model.encode_to_vec(), output, dimension: head.outputs() })
}

/// The one output: its name and what its free dimension is called.
fn output(graph: &Graph, width: usize) -> Result<(String, String), TrainError> {
    let [output] = graph.output.as_slice() else {
        return Err(refuse(&format!("it has {} outputs, an embedder has one", graph.output.len())));
    };
    let info: ValueInfo = decode(output)?;
    let tensor = info.r#type.and_then(|kind| kind.tensor_type).unwrap_or_default();
    let dims = tensor.shape.unwrap_or_default().dim;
    let [count, given] = dims.as_slice() else {
        return Err(refuse(&format!("its output `{}` has {} dimensions, not two", info.name, dims.len())));
    };
    if tensor.elem_type != FLOAT {
        return Err(refuse(&format!("its output `{}` is not of 32-bit numbers", info.name)));
    }
    // A width without a number is found out when the model is loaded.
    if let Some(Size::Fixed(given)) = given.value
        && usize::try_from(given) != Ok(width)
    {
        let name = &info.name;
        return Err(refuse(&format!("its output `{name}` has {given} numbers, the head takes {width}")));
    }
    let count = match &count.value {
        Some(Size::Free(name)) if !name.is_empty() => name.clone(),
        Some(Size::Fixed(count)) => {
            let name = &info.name;
            return Err(refuse(&format!("its output `{name}` is of {count} faces: the batch has to be free")));
        }
        _ => COUNT.to_owned(),
    };
    Ok((info.name, count))
}

/// Every name of the graph. Refuses weights that lie in files beside it: they would not be found from another folder.
fn names(graph: &Graph) -> Result<HashSet<String>, TrainError> {
    let mut names = HashSet::new();
    for tensor in &graph.initializer {
        let place: TensorPlace = decode(tensor)?;
        if place.data_location != 0 {
            return Err(refuse(&format!("it keeps `{}` in another file: save it with its weights inside", place.name)));
        }
        names.insert(place.name);
    }
    for info in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
        names.insert(decode::<ValueInfo>(info)?.name);
    }
    for node in &graph.node {
        let node: Node = decode(node)?;
        names.extend(node.input.into_iter().chain(node.output).chain([node.name]));
    }
    Ok(names)
}

/// The name, or the name with the first number that makes it new.
fn unused(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    [name.to_owned()].into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, TrainError> {
    M::decode(bytes).map_err(|error| TrainError::Model(format!("it is damaged: {error}")))
}

fn refuse(reason: &str) -> TrainError {
    TrainError::Model(reason.to_owned())
}
