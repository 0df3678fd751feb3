//! A head's nodes and weights.

use prost::Message;

use super::message::{Attribute, Dimension, Node, Shape, Size, Tensor, TensorType, Type, ValueInfo};
use crate::train::error::TrainError;
use crate::train::head::Head;

/// `TensorProto.DataType.FLOAT`.
pub(super) const FLOAT: i32 = 1;

/// `AttributeProto.AttributeType.INT`.
const INT: i32 = 2;

/// Encoded nodes, in the order in which they run, and weights.
#[derive(Debug, Default)]
pub(super) struct HeadGraph {
    pub(super) nodes: Vec<Vec<u8>>,
    pub(super) initializers: Vec<Vec<u8>>,
}

impl HeadGraph {
    /// From the tensor `input` to the tensor `output`; every other name begins with `prefix`.
    pub(super) fn new(head: &Head, input: &str, output: &str, prefix: &str) -> Result<Self, TrainError> {
        let mut graph = Self::default();
        // What the embedder gives need not have length 1; the head has learned from vectors that have.
        let mut steps = vec![("LpNormalization", Vec::new(), vec![("axis", 1), ("p", 2)])];
        for (index, layer) in head.layers.iter().enumerate() {
            if index > 0 {
                steps.push(("Relu", Vec::new(), Vec::new()));
            }
            let (weight, bias) = (format!("{prefix}/weight_{index}"), format!("{prefix}/bias_{index}"));
            graph.initializers.push(tensor(&weight, &[layer.outputs, layer.inputs], &layer.weight)?);
            graph.initializers.push(tensor(&bias, &[layer.outputs], &layer.bias)?);
            steps.push(("Gemm", vec![weight, bias], vec![("transB", 1)]));
        }
        if head.unit && !head.layers.is_empty() {
            steps.push(("LpNormalization", Vec::new(), vec![("axis", 1), ("p", 2)]));
        }
        let last = steps.len() - 1;
        let mut from = input.to_owned();
        for (index, (operator, weights, attributes)) in steps.into_iter().enumerate() {
            let to = if index == last { output.to_owned() } else { format!("{prefix}/value_{index}") };
            let attribute = |(name, i): (&str, i64)| Attribute { name: name.to_owned(), i, r#type: INT };
            let node = Node {
                input: [from].into_iter().chain(weights).collect(),
                output: vec![to.clone()],
                name: format!("{prefix}/node_{index}"),
                op_type: operator.to_owned(),
                attribute: attributes.into_iter().map(attribute).collect(),
            };
            graph.nodes.push(node.encode_to_vec());
            from = to;
        }
        Ok(graph)
    }
}

/// The declaration of a tensor `[count, width]`.
pub(super) fn value(name: &str, count: &str, width: usize) -> Result<Vec<u8>, TrainError> {
    let sizes = [Size::Free(count.to_owned()), Size::Fixed(whole(width)?)];
    let dim = sizes.into_iter().map(|size| Dimension { value: Some(size) }).collect();
    let tensor_type = Some(TensorType { elem_type: FLOAT, shape: Some(Shape { dim }) });
    let info = ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type }) };
    Ok(info.encode_to_vec())
}

fn tensor(name: &str, dims: &[usize], numbers: &[f32]) -> Result<Vec<u8>, TrainError> {
    let tensor = Tensor {
        dims: dims.iter().map(|size| whole(*size)).collect::<Result<_, _>>()?,
        data_type: FLOAT,
        name: name.to_owned(),
        raw_data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
    };
    Ok(tensor.encode_to_vec())
}

fn whole(size: usize) -> Result<i64, TrainError> {
    i64::try_from(size).map_err(|_| TrainError::Model(format!("a dimension of {size} is too large")))
}
