//! Heads as ONNX: behind their embedder, in one model from the picture to the head's vector.
//!
//! ONNX is protobuf, and `prost`, which the pipeline's messages use already, is what reads and writes it here. `ort`'s editor makes
//! models for a session, not for a file; `candle-onnx` and `onnx-protobuf` have all of ONNX's messages, for `protoc` at build time or a
//! second protobuf library, and take an embedder's weights apart. The few messages of a head are in `message`; all else stays bytes.

mod append;
mod graph;
mod message;

pub use append::append;

/// What the output is called, unless the embedder has that name already.
const OUTPUT: &str = "vectors";

/// What the free dimension is called where the embedder gives it no name: how many vectors there are.
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

#[cfg(test)]
mod tests;
