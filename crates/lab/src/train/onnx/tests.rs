//! What is written, read back message by message. That ONNX Runtime computes the same is checked where there is a runtime.

use prost::Message as _;

use super::graph::value;
use super::message::{self, Attribute, Graph, Model, Node, OperatorSet, Size, Tensor, ValueInfo};
use super::*;
use crate::train::baseline::{identity, random_projection};
use crate::train::head::{Dense, Head};
use crate::train::testing::people;

fn small() -> Head {
    let dense = |inputs, outputs| Dense {
        inputs,
        outputs,
        weight: (0..inputs * outputs).map(|number| number as f32).collect(),
        bias: vec![0.5; outputs],
    };
    Head::new(4, vec![dense(4, 3), dense(3, 2)], true).unwrap()
}

fn model(bytes: &[u8]) -> (Model, Graph) {
    let model = Model::decode(bytes).unwrap();
    let graph = model.graph.clone().unwrap();
    (model, graph)
}

fn nodes(graph: &Graph) -> Vec<Node> {
    graph.node.iter().map(|bytes| Node::decode(bytes.as_slice()).unwrap()).collect()
}

fn shape(bytes: &[u8]) -> (String, Vec<Option<Size>>) {
    let info = ValueInfo::decode(bytes).unwrap();
    let tensor = info.r#type.unwrap().tensor_type.unwrap();
    assert_eq!(tensor.elem_type, 1);
    (info.name, tensor.shape.unwrap().dim.into_iter().map(|dimension| dimension.value).collect())
}

/// An "embedder" of one node, whose output is called as the test says.
fn embedder(output: &str, count: Size, width: i64) -> Model {
    let dim = [count, Size::Fixed(width)].map(|size| message::Dimension { value: Some(size) }).to_vec();
    let tensor_type = Some(message::TensorType { elem_type: 1, shape: Some(message::Shape { dim }) });
    let info = ValueInfo { name: output.to_owned(), r#type: Some(message::Type { tensor_type }) };
    let node = Node {
        input: vec!["input".to_owned()],
        output: vec![output.to_owned()],
        name: "head/node_0".to_owned(),
        op_type: "Flatten".to_owned(),
        attribute: vec![Attribute { name: "axis".to_owned(), i: 1, r#type: 2 }],
    };
    let graph = Graph {
        node: vec![node.encode_to_vec()],
        name: "embedder".to_owned(),
        input: vec![value("input", "n", 4).unwrap()],
        output: vec![info.encode_to_vec()],
        metadata_props: vec![vec![10, 1, b'k', 18, 1, b'v']],
        ..Graph::default()
    };
    let opset_import = vec![
        OperatorSet { domain: "com.example".to_owned(), version: 1 },
        OperatorSet { domain: String::new(), version: 13 },
    ];
    Model { ir_version: 3, graph: Some(graph), opset_import, ..Model::default() }
}

fn free() -> Size {
    Size::Free("batch".to_owned())
}

fn refused(model: &Model) -> String {
    append(&model.encode_to_vec(), &small()).unwrap_err().to_string()
}

/// The nodes and weights of the head alone.
fn head_behind(head: &Head) -> (Vec<Node>, Graph) {
    let bytes = append(&embedder("embeddings", free(), 4).encode_to_vec(), head).unwrap().bytes;
    let (_, graph) = model(&bytes);
    (nodes(&graph).split_off(1), graph)
}

#[test]
fn a_head_is_normalise_gemm_relu_gemm_normalise() {
    let (nodes, graph) = head_behind(&small());
    let operators: Vec<&str> = nodes.iter().map(|node| node.op_type.as_str()).collect();
    assert_eq!(operators, ["LpNormalization", "Gemm", "Relu", "Gemm", "LpNormalization"]);
    // Each takes what the one before gives.
    assert!(nodes.windows(2).all(|pair| pair[1].input[0] == pair[0].output[0]));
    let weights: Vec<Tensor> =
        graph.initializer.iter().map(|bytes| Tensor::decode(bytes.as_slice()).unwrap()).collect();
    assert_eq!(
        weights.iter().map(|tensor| tensor.dims.clone()).collect::<Vec<_>>(),
        [vec![3, 4], vec![3], vec![2, 3], vec![2]]
    );
    assert_eq!(nodes[3].input[1..], [weights[2].name.clone(), weights[3].name.clone()]);
    assert_eq!(weights[0].raw_data[4..8], 1.0_f32.to_le_bytes());
}

#[test]
fn logits_are_not_normalised_and_no_layer_is_one_node() {
    let (nodes, _) = head_behind(&Head { unit: false, ..small() });
    assert_eq!(nodes[3].op_type, "Gemm");
    let (nodes, _) = head_behind(&identity(4));
    assert_eq!((nodes.len(), nodes[0].input[0].as_str(), nodes[0].output[0].as_str()), (1, "embeddings", OUTPUT));
}

#[test]
fn a_head_goes_behind_an_embedder_that_stays_as_it_is() {
    let before = embedder("embeddings", free(), 4);
    let combined = append(&before.encode_to_vec(), &small()).unwrap();
    assert_eq!((combined.output.as_str(), combined.dimension), (OUTPUT, 2));
    let (after, graph) = model(&combined.bytes);
    assert_eq!((after.ir_version, &after.opset_import), (4, &before.opset_import));
    let old = before.graph.unwrap();
    assert_eq!(
        (&graph.node[..1], &graph.input, &graph.metadata_props),
        (&old.node[..], &old.input, &old.metadata_props)
    );
    assert_eq!(graph.value_info, old.output);
    let nodes = nodes(&graph);
    assert_eq!((nodes.len(), nodes[1].input[0].as_str(), nodes[5].output[0].as_str()), (6, "embeddings", OUTPUT));
    // The embedder has a node of the name that the head would have taken.
    assert_eq!(nodes[1].name, "head_1/node_0");
    assert_eq!(shape(&graph.output[0]), (OUTPUT.to_owned(), vec![Some(free()), Some(Size::Fixed(2))]));
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let once = append(&embedder(OUTPUT, free(), 4).encode_to_vec(), &small()).unwrap();
    assert_eq!(once.output, "vectors_1");
    // A head behind a head.
    let twice = append(&once.bytes, &random_projection(&people(2, 1, 2, 1), 2, 1).unwrap()).unwrap();
    assert_eq!(twice.output, "vectors_2");
    let (_, graph) = model(&twice.bytes);
    let mut names: Vec<String> = nodes(&graph).into_iter().map(|node| node.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((count, names.len()), (9, 9));
}

#[test]
fn what_takes_no_head_is_refused() {
    let good = || embedder("embeddings", free(), 4);
    assert!(append(b"no model", &small()).is_err());
    assert!(refused(&Model::default()).contains("operator set"));
    assert!(refused(&Model { graph: None, ..good() }).contains("no graph"));
    let old = vec![OperatorSet { domain: String::new(), version: 8 }];
    assert!(refused(&Model { opset_import: old, ..good() }).contains("8 is older"));
    assert!(refused(&embedder("embeddings", free(), 5)).contains("has 5 numbers, the head takes 4"));
    assert!(refused(&embedder("embeddings", Size::Fixed(1), 4)).contains("batch"));
    let with = |change: fn(&mut Graph)| {
        let mut model = good();
        change(model.graph.as_mut().unwrap());
        refused(&model)
    };
    assert!(with(|graph| graph.output.clear()).contains("0 outputs"));
    assert!(with(|graph| graph.output.push(Vec::new())).contains("2 outputs"));
    assert!(with(|graph| graph.output[0].clear()).contains("0 dimensions"));
    assert!(with(|graph| graph.node.push(vec![255])).contains("damaged"));
    // A tensor of name "w" whose numbers lie outside.
    assert!(with(|graph| graph.initializer.push(vec![0x42, 1, b'w', 0x70, 1])).contains("`w` in another file"));
}
