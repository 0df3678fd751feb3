"""dlib's face recognition ResNet: the .dat file of the `face-recognition-models` package.

Usage: dlib_resnet.py dlib_face_recognition_resnet_model_v1.dat OUT.onnx

The network is ResNet-29 of Davis King's dlib ("dnn_face_recognition_ex"), trained with a metric loss. The file is dlib's own
serialisation: integers with a length byte, floats as mantissa and exponent, tensors as raw float32, layers from the
deepest to the last. Every value is read and checked, not skipped, so a different network is refused.

Each convolution swallows the affine layer after it, and the first one the mean and scale of the input (it has no padding, so that is exact):
input `input` [n, 3, 150, 150] is RGB in 0..255. Output `embedding` [n, 128], not normalised.
"""

import sys

import numpy as np
from onnx_build import GraphBuilder

INPUT_SIZE = 150
INPUT_SCALE = 256.0  # dlib divides by this after subtracting the mean
DIMENSION = 128
# Filters and "halves the size" of the 14 residual blocks, from the input on.
BLOCKS = (
    [(32, False)] * 3
    + [(64, True)]
    + [(64, False)] * 3
    + [(128, True)]
    + [(128, False)] * 2
    + [(256, True)]
    + [(256, False)] * 2
    + [(256, True)]
)


class Dat:
    """Cursor over dlib's serialisation."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise SystemExit("the file ends too early")
        self.at += count
        return part

    def int(self):
        control = self.take(1)[0]
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def float(self):
        mantissa = self.int()
        return mantissa * 2.0 ** self.int()

    def text(self):
        return bytes(self.take(self.int())).decode()

    def expect(self, what, read, *wanted):
        found = tuple(read() for _ in wanted)
        if found != wanted:
            raise SystemExit(f"byte {self.at}: {what} is {found}, expected {wanted}")

    def tensor(self):
        """Version 2, four sizes, raw values; flat, because the layers know their shapes."""
        self.expect("tensor version", self.int, 2)
        sizes = [self.int() for _ in range(4)]
        return np.frombuffer(self.take(4 * int(np.prod(sizes))), "<f4").astype(np.float64)

    def alias(self):
        """A view into a parameter tensor: version and four sizes."""
        self.expect("alias version", self.int, 1)
        return tuple(self.int() for _ in range(4))

    def layer_end(self):
        """Three flags as characters (set up, gradient stale, in place), then the gradients, which a trained file leaves empty."""
        if bytes(self.take(3)) not in (b"110", b"111"):
            raise SystemExit(f"byte {self.at}: the end of a layer has other flags than a trained network")
        for _ in range(3):
            if self.tensor().size:
                raise SystemExit("the file holds gradients: this is a training checkpoint")


def read_header(dat):
    """Loss layer, the versions of all layers, then the input layer: returns the mean colour."""
    dat.expect("loss version", dat.int, 1)
    dat.expect("loss", dat.text, "loss_metric_2")
    dat.float(), dat.float()  # margin and distance threshold, used in training only
    while dat.data[dat.at : dat.at + 2] in (b"\x01\x01", b"\x01\x02", b"\x01\x03"):
        dat.int()
    dat.expect("input layer", dat.text, "input_rgb_image_sized")
    mean = np.array([dat.float() for _ in range(3)])
    dat.expect("input size", dat.int, INPUT_SIZE, INPUT_SIZE)
    return mean


def read_conv(dat, filters, channels, size, stride, pad, first=False):
    """con_ followed by affine_: one kernel and one bias, in float64. The first one ends with dlib's sample expansion factor."""
    dat.expect("layer", dat.text, "con_4")
    values = dat.tensor()
    dat.expect("convolution", dat.int, filters, size, size, stride, stride, pad, pad)
    shape = dat.alias()
    if shape != (filters, channels, size, size) or dat.alias() != (1, filters, 1, 1):
        raise SystemExit(f"a convolution has the filters {shape}")
    dat.expect("learning rates", dat.float, 1.0, 1.0, 1.0, 0.0)
    dat.layer_end()
    if first:
        dat.expect("sample expansion factor", dat.int, 1)
    kernel, bias = values[:-filters].reshape(shape), values[-filters:]

    dat.expect("layer", dat.text, "affine_")
    gamma, beta = np.split(dat.tensor(), 2)
    dat.alias(), dat.alias()
    dat.expect("affine mode", dat.int, 0)
    dat.layer_end()
    return kernel * gamma[:, None, None, None], bias * gamma + beta


def read_plain(dat, name, *numbers):
    """A layer without weights: its name, its integers, its end."""
    dat.expect("layer", dat.text, name)
    if numbers:
        dat.expect(name, dat.int, *numbers)
    dat.layer_end()


def read_dense(dat, inputs):
    dat.expect("layer", dat.text, "fc_2")
    dat.expect("dense layer", dat.int, DIMENSION, inputs)
    values = dat.tensor().reshape(inputs, DIMENSION)
    dat.alias(), dat.alias()
    dat.expect("bias mode", dat.int, 1)
    dat.expect("learning rates", dat.float, 1.0, 1.0, 1.0, 0.0)
    dat.layer_end()
    return values


def block(dat, net, x, channels, size, filters, down):
    """One residual block. Where it halves the size the shortcut is a mean over 2 x 2 and missing channels, rows and columns are zero."""
    step = 2 if down else 1
    kernel, bias = read_conv(dat, filters, channels, 3, step, 0 if down else 1)
    inner = net.node("Relu", [net.conv(x, kernel, bias, (step, step), [0 if down else 1] * 4)])
    read_plain(dat, "relu_")
    kernel, bias = read_conv(dat, filters, filters, 3, 1, 1)
    inner = net.conv(inner, kernel, bias, pads=[1] * 4)
    shortcut, out = x, size
    if down:
        read_plain(dat, "avg_pool_2", 2, 2, 2, 2, 0, 0)
        shortcut = net.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
        convolved, out = (size - 3) // 2 + 1, (size - 2) // 2 + 1
        shortcut = grow(net, shortcut, filters - channels, 0)
        inner = grow(net, inner, 0, out - convolved)
    read_plain(dat, "add_prev_")
    read_plain(dat, "relu_")
    return net.node("Relu", [net.node("Add", [inner, shortcut])]), out


def grow(net, x, channels, edge):
    """Adds zero channels at the end, zero rows below and zero columns to the right."""
    if channels == 0 and edge == 0:
        return x
    return net.node("Pad", [x, net.weight([0, 0, 0, 0, 0, channels, edge, edge], np.int64)], mode="constant")


def main(source, target):
    with open(source, "rb") as file:
        dat = Dat(file.read())
    net = GraphBuilder("dlib_resnet")
    mean = read_header(dat)
    kernel, bias = read_conv(dat, 32, 3, 7, 2, 0, first=True)
    kernel = kernel / INPUT_SCALE
    bias = bias - np.einsum("ochw,c->o", kernel, mean)
    x = net.node("Relu", [net.conv("input", kernel, bias, (2, 2))])
    read_plain(dat, "relu_")
    x = net.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    read_plain(dat, "max_pool_2", 3, 3, 2, 2, 0, 0)
    channels, size = 32, ((INPUT_SIZE - 7) // 2 + 1 - 3) // 2 + 1
    for filters, down in BLOCKS:
        x, size = block(dat, net, x, channels, size, filters, down)
        channels = filters
    read_plain(dat, "avg_pool_2", 0, 0, 1, 1, 0, 0)
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])], axis=1)
    net.node("MatMul", [x, net.weight(read_dense(dat, channels))], "embedding")
    if dat.at != len(dat.data):
        raise SystemExit(f"{len(dat.data) - dat.at} bytes are left over")
    net.save(target, [("input", ["n", 3, INPUT_SIZE, INPUT_SIZE])], [("embedding", ["n", DIMENSION])])


if __name__ == "__main__":
    main(*sys.argv[1:])
