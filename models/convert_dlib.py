"""Writes dlib's face descriptor network (ResNet with 29 convolutions, Davis King, CC0) as ONNX.

usage: convert_dlib.py dlib_face_recognition_resnet_model_v1.dat dlib_face_resnet.onnx

In:  float32 [N, 3, 150, 150], RGB, (value - [122.782, 117.001, 104.298]) / 256; the catalogue says so too.
Out: float32 [N, 128], not of unit length.

The architecture is that of dlib's examples/dnn_face_recognition_ex.cpp (`anet_type`): the file is read as a list of layer
records and every record must agree with it, so another network is refused rather than converted into nonsense.
An affine layer follows every convolution and is folded into it. The result depends on the input bytes only: no time
stamps, no versions of tools, so that its sha256 can stand in the catalogue.
"""

import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 150
DIMENSION = 128
# Filters of each residual block and whether it halves the picture, from the input's side.
BLOCKS = [(32, False)] * 3 + [(64, True)] + [(64, False)] * 3 + [(128, True)] + [(128, False)] * 2
BLOCKS += [(256, True)] + [(256, False)] * 2 + [(256, True)]


def integer(data, at):
    """dlib's variable-size integer: a byte with the sign (bit 7) and the count of bytes, then those bytes, little-endian."""
    count = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + count], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + count


def tensor(data, at):
    """dlib's tensor: version 2, four sizes, then float32. Returns the numbers and the position after them."""
    version, at = integer(data, at)
    if version != 2:
        raise ValueError(f"tensor of version {version} at byte {at}")
    count = 1
    for _ in range(4):
        size, at = integer(data, at)
        count *= size
    if count < 0 or at + 4 * count > len(data):
        raise ValueError(f"a tensor of {count} numbers passes the end of the file")
    return np.frombuffer(data, "<f4", count, at), at + 4 * count


def records(data):
    """The convolutions (numbers, shape), the affine layers and the fully connected layers, in the order of the file."""
    convolutions, affines, connected = [], [], []
    for found in re.finditer(rb"con_4|affine_|fc_2", data):
        name, start = found.group(), found.start()
        if start < 2 or data[start - 2] != 1 or data[start - 1] != len(name):
            continue  # These bytes are not a serialised string: they stand inside a weight.
        at = found.end()
        if name == b"fc_2":
            outputs, at = integer(data, at)
            inputs, at = integer(data, at)
            connected.append((tensor(data, at)[0], inputs, outputs))
            continue
        numbers, at = tensor(data, at)
        if numbers.size == 0:
            continue  # A layer of the training network that was never set up.
        if name == b"affine_":
            affines.append(numbers)
            continue
        shape = []
        for _ in range(7):
            value, at = integer(data, at)
            shape.append(value)
        convolutions.append((numbers, shape))
    return convolutions, affines, connected


class Graph:
    """Nodes and weights under construction."""

    def __init__(self, convolutions, affines):
        self.layers = iter(zip(convolutions, affines, strict=True))
        self.nodes, self.weights = [], []

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind, inputs, **options):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **options))
        return name

    def convolution(self, source, channels, filters, side, stride):
        """The next convolution of the file with its affine layer folded in."""
        (numbers, shape), affine = next(self.layers)
        pad = side // 2 if stride == 1 else 0
        if shape != [filters, side, side, stride, stride, pad, pad] or affine.size != 2 * filters:
            raise ValueError(f"expected {filters} filters of {side} px, stride {stride}; the file has {shape}")
        count = filters * channels * side * side
        if numbers.size not in (count, count + filters):
            raise ValueError(f"a convolution of {numbers.size} numbers where {count} are wanted")
        gamma, beta = affine.reshape(2, filters)
        bias = numbers[count:] if numbers.size > count else np.zeros(filters, np.float32)
        kernel = numbers[:count].reshape(filters, channels, side, side) * gamma[:, None, None, None]
        inputs = [source, self.weight(kernel), self.weight(bias * gamma + beta)]
        return self.add("Conv", inputs, kernel_shape=[side, side], strides=[stride, stride], pads=[pad] * 4)

    def padded(self, source, channels, pixels):
        """Zeros appended in channels, at the right and at the bottom: dlib's add_prev takes tensors of unequal sizes."""
        if channels == 0 and pixels == 0:
            return source
        pads = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
        return self.add("Pad", [source, self.weight(pads)])

    def block(self, source, channels, size, filters, halves):
        """A residual block. Returns its output with the channels and the size of that."""
        long = self.convolution(source, channels, filters, 3, 2 if halves else 1)
        long = self.convolution(self.add("Relu", [long]), filters, filters, 3, 1)
        short, long_size, short_size = source, size, size
        if halves:
            short = self.add("AveragePool", [source], kernel_shape=[2, 2], strides=[2, 2])
            long_size, short_size = (size - 3) // 2 + 1, (size - 2) // 2 + 1
        size = max(long_size, short_size)
        long = self.padded(long, max(0, channels - filters), size - long_size)
        short = self.padded(short, max(0, filters - channels), size - short_size)
        return self.add("Relu", [self.add("Add", [long, short])]), max(channels, filters), size


def build(data):
    """The ONNX model of a dlib file's bytes."""
    convolutions, affines, connected = records(data)
    if (len(convolutions), len(affines), len(connected)) != (29, 29, 1):
        raise ValueError(f"{len(convolutions)} convolutions, {len(affines)} affine and {len(connected)} connected layers; 29, 29, 1 wanted")
    graph = Graph(convolutions, affines)
    flow = graph.add("Relu", [graph.convolution("input", 3, 32, 7, 2)])
    flow = graph.add("MaxPool", [flow], kernel_shape=[3, 3], strides=[2, 2])
    channels, size = 32, ((SIDE - 7) // 2 + 1 - 3) // 2 + 1
    for filters, halves in BLOCKS:
        flow, channels, size = graph.block(flow, channels, size, filters, halves)
    numbers, inputs, outputs = connected[0]
    if (inputs, outputs, numbers.size) != (channels, DIMENSION, channels * DIMENSION):
        raise ValueError(f"the last layer maps {inputs} to {outputs} numbers; {channels} to {DIMENSION} wanted")
    flow = graph.add("Flatten", [graph.add("GlobalAveragePool", [flow])])
    graph.nodes.append(helper.make_node("MatMul", [flow, graph.weight(numbers.reshape(inputs, outputs))], ["embedding"]))
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    result = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSION])
    body = helper.make_graph(graph.nodes, "dlib_face_resnet", [source], [result], graph.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="bertillon")
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: convert_dlib.py FILE.dat FILE.onnx")
    with open(sys.argv[1], "rb") as file:
        model = build(file.read())
    with open(sys.argv[2], "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
