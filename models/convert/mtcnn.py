"""MTCNN: P-, R- or O-Net from the weights that the `facenet-pytorch` package carries.

Usage: mtcnn.py {pnet,rnet,onet}.pt OUT.onnx

The weights are a PyTorch state dictionary in the format before version 1.6: five pickles, then the raw storages. The
unpickler knows three names and refuses every other, so a package cannot run code here.

The networks themselves are those of Zhang et al., "Joint Face Detection and Alignment using Multitask Cascaded
Convolutional Networks", 2016, in facenet-pytorch's form: convolutions without padding, pooling that rounds up, and dense layers whose
input is ordered width, height, channel. That order is put right in the weights, so that the graph needs no transpose.

Input `input` [n, 3, h, w]: RGB, (pixel - 127.5) / 128. Outputs `prob` (softmax; the second value is "face"), `reg`
(offsets of the box), and for O-Net `landmarks` (x of the five points, then y).
"""

import collections
import pickle
import struct
import sys

import numpy as np
from onnx_build import GraphBuilder

MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of the format
PROTOCOL = 1001


class Storage:
    """Stands for torch.FloatStorage while unpickling; filled afterwards."""

    def __init__(self, count):
        self.count = count
        self.data = None


def rebuild_tensor(storage, offset, size, stride, *_):
    """What the state dictionary calls torch._utils._rebuild_tensor_v2 for: a view that is resolved when the data is there."""
    return storage, offset, size, stride


class Reader(pickle.Unpickler):
    """Unpickler with a list of allowed names."""

    ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch", "FloatStorage"): "FloatStorage",
    }

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of weights")
        return self.ALLOWED[(module, name)]

    def persistent_load(self, key):
        kind, dtype, name, _location, count, *_ = key
        if kind != "storage" or dtype != "FloatStorage":
            raise pickle.UnpicklingError(f"unexpected storage {key!r}")
        return self.storages.setdefault(name, Storage(count))


def read_state(path):
    """The state dictionary as name -> float32 array."""
    with open(path, "rb") as file:
        if Reader(file).load() != MAGIC or Reader(file).load() != PROTOCOL:
            raise SystemExit(f"{path} is not a PyTorch file of the old format")
        if Reader(file).load().get("little_endian") is not True:
            raise SystemExit(f"{path} is not little endian")
        reader = Reader(file)
        state = reader.load()
        for name in Reader(file).load():
            storage = reader.storages[name]
            (count,) = struct.unpack("<q", file.read(8))
            if count != storage.count:
                raise SystemExit(f"{path} is damaged: a storage has {count} values instead of {storage.count}")
            storage.data = np.frombuffer(file.read(4 * count), dtype="<f4")
    arrays = {}
    for name, (storage, offset, size, stride) in state.items():
        strides = [4 * step for step in stride]
        arrays[name] = np.lib.stride_tricks.as_strided(storage.data[offset:], size, strides).copy()
    return arrays


class Net(GraphBuilder):
    """The layers of the three networks; `state` is consumed, so that a weight nobody used is noticed."""

    def __init__(self, name, state):
        super().__init__(name)
        self.state = state

    def layer(self, x, index, suffix=""):
        key = f"conv{index}{suffix}"
        return self.conv(x, self.state.pop(f"{key}.weight"), self.state.pop(f"{key}.bias"))

    def prelu(self, x, index, spatial):
        slope = self.state.pop(f"prelu{index}.weight")
        return self.node("PRelu", [x, self.weight(slope.reshape(-1, 1, 1) if spatial else slope)])

    def pool(self, x, kernel):
        return self.node("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[2, 2], ceil_mode=1)

    def dense(self, x, key, output=None, width_height_channels=None):
        kernel, bias = self.state.pop(f"{key}.weight"), self.state.pop(f"{key}.bias")
        if width_height_channels:
            kernel = kernel.reshape(-1, *width_height_channels).transpose(0, 3, 2, 1).reshape(kernel.shape)
        return self.node("Gemm", [x, self.weight(kernel), self.weight(bias)], output, transB=1)


def build_pnet(net):
    x = net.pool(net.prelu(net.layer("input", 1), 1, True), 2)
    x = net.prelu(net.layer(x, 2), 2, True)
    x = net.prelu(net.layer(x, 3), 3, True)
    net.node("Softmax", [net.layer(x, 4, "_1")], "prob", axis=1)
    net.node("Identity", [net.layer(x, 4, "_2")], "reg")
    return ["n", 3, "h", "w"], [("prob", ["n", 2, "oh", "ow"]), ("reg", ["n", 4, "oh", "ow"])]


def build_rnet(net):
    x = net.pool(net.prelu(net.layer("input", 1), 1, True), 3)
    x = net.pool(net.prelu(net.layer(x, 2), 2, True), 3)
    x = net.node("Flatten", [net.prelu(net.layer(x, 3), 3, True)], axis=1)
    x = net.prelu(net.dense(x, "dense4", width_height_channels=(3, 3, 64)), 4, False)
    net.node("Softmax", [net.dense(x, "dense5_1")], "prob", axis=1)
    net.dense(x, "dense5_2", "reg")
    return ["n", 3, 24, 24], [("prob", ["n", 2]), ("reg", ["n", 4])]


def build_onet(net):
    x = net.pool(net.prelu(net.layer("input", 1), 1, True), 3)
    x = net.pool(net.prelu(net.layer(x, 2), 2, True), 3)
    x = net.pool(net.prelu(net.layer(x, 3), 3, True), 2)
    x = net.node("Flatten", [net.prelu(net.layer(x, 4), 4, True)], axis=1)
    x = net.prelu(net.dense(x, "dense5", width_height_channels=(3, 3, 128)), 5, False)
    net.node("Softmax", [net.dense(x, "dense6_1")], "prob", axis=1)
    net.dense(x, "dense6_2", "reg")
    net.dense(x, "dense6_3", "landmarks")
    return ["n", 3, 48, 48], [("prob", ["n", 2]), ("reg", ["n", 4]), ("landmarks", ["n", 10])]


def main(source, target):
    state = read_state(source)
    if "dense6_3.weight" in state:
        name, build = "onet", build_onet
    elif "dense5_2.weight" in state:
        name, build = "rnet", build_rnet
    else:
        name, build = "pnet", build_pnet
    net = Net(name, state)
    shape, outputs = build(net)
    if state:
        raise SystemExit(f"{source} has weights that {name} does not know: {sorted(state)}")
    net.save(target, [("input", shape)], outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
