"""Shared by the converters: a small builder for ONNX graphs that are byte-identical on every run.

Only numpy and onnx are needed. Nothing here depends on time, hash seeds or dictionary order: tensors and nodes are written in
the order in which the converter adds them, and names are counted.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class GraphBuilder:
    """Collects nodes and weights; every method returns the name of the node's output."""

    def __init__(self, name):
        self.name = name
        self.nodes = []
        self.weights = []
        self.count = 0

    def weight(self, array, dtype=np.float32):
        """Adds a constant tensor and returns its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=dtype), name))
        return name

    def node(self, op, inputs, output=None, **attributes):
        """Adds one node with one output."""
        self.count += 1
        output = output or f"t{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def conv(self, x, kernel, bias, stride=(1, 1), pads=(0, 0, 0, 0)):
        """Convolution; `kernel` is [out, in, height, width], `pads` is top, left, bottom, right."""
        inputs = [x, self.weight(kernel)]
        if bias is not None:
            inputs.append(self.weight(bias))
        return self.node(
            "Conv", inputs, kernel_shape=list(kernel.shape[2:]), strides=list(stride), pads=list(pads)
        )

    def save(self, path, inputs, outputs):
        """Checks the graph and writes it; `inputs` and `outputs` are lists of (name, shape), a string is a free dimension."""
        values = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in pairs]
            for pairs in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, self.name, values[0], values[1], initializer=self.weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sightline",
        )
        write(model, path)


def write(model, path):
    """Checks a model and writes it in the deterministic form."""
    onnx.checker.check_model(model, full_check=True)
    with open(path, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))
