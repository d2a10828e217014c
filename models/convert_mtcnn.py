"""Writes one of the three MTCNN networks (Zhang et al. 2016; weights of facenet-pytorch 2.6.0, MIT) as ONNX.

usage: convert_mtcnn.py pnet|rnet|onet FILE.pt FILE.onnx

In:  "input" float32, RGB, (value - 127.5) / 128. P-net [N, 3, height, width] of any size, R-net [N, 3, 24, 24], O-net [N, 3, 48, 48].
Out: "prob" softmaxed (no face, face), "reg" four box offsets as fractions of the window (left, top, right, bottom), and from
     O-net "lm", ten fractions of the box: x of the eyes, nose and mouth corners, then their y.
     P-net gives maps [N, 2 or 4, h, w] with a stride of 2 px and windows of 12 px; the others give [N, 2, 4 or 10].

The .pt files are PyTorch's old pickle of tensors. They are read without PyTorch, by an unpickler that knows nothing but
tensors, so a doctored file can run no code. The result depends on the input bytes only: its sha256 stands in the catalogue.
"""

import collections
import pickle
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MAGIC = 0x1950A86A20F9469CFC6C

# The layers in order. A pool's number is its side; all pools have stride 2 and count a last, partial window.
NETS = {
    "pnet": {
        "input": ["N", 3, "height", "width"],
        "layers": ["conv1", "prelu1", 2, "conv2", "prelu2", "conv3", "prelu3"],
        "outputs": {"prob": "conv4_1", "reg": "conv4_2"},
        "parameters": 6_632,
    },
    "rnet": {
        "input": ["N", 3, 24, 24],
        "layers": ["conv1", "prelu1", 3, "conv2", "prelu2", 3, "conv3", "prelu3", "flatten", "dense4", "prelu4"],
        "outputs": {"prob": "dense5_1", "reg": "dense5_2"},
        "parameters": 100_178,
    },
    "onet": {
        "input": ["N", 3, 48, 48],
        "layers": ["conv1", "prelu1", 3, "conv2", "prelu2", 3, "conv3", "prelu3", 2, "conv4", "prelu4", "flatten"]
        + ["dense5", "prelu5"],
        "outputs": {"prob": "dense6_1", "reg": "dense6_2", "lm": "dense6_3"},
        "parameters": 389_040,
    },
}
SIZES = {"prob": 2, "reg": 4, "lm": 10}


class Tensors(pickle.Unpickler):
    """Unpickles a state dictionary. Any other class or function in the file is an error."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if (module, name) == ("torch", "FloatStorage"):
            return "float32"
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, ident):
        kind, element, key, _device, count = ident[:5]
        if (kind, element) != ("storage", "float32"):
            raise pickle.UnpicklingError(f"storage {kind} of {element}; float32 wanted")
        return key, count


def read(path):
    """The tensors of a .pt file by name."""
    with open(path, "rb") as file:
        if Tensors(file).load() != MAGIC:
            raise ValueError(f"{path} is not a PyTorch file of the old kind")
        Tensors(file).load()  # protocol version
        if not Tensors(file).load()["little_endian"]:
            raise ValueError(f"{path} was written on a big-endian machine")
        named = Tensors(file).load()
        storages = {}
        for key in Tensors(file).load():
            count = int.from_bytes(file.read(8), "little")
            data = file.read(4 * count)
            if len(data) != 4 * count:
                raise ValueError(f"{path} ends inside a tensor")
            storages[key] = np.frombuffer(data, "<f4")
    tensors = {}
    for name, ((key, _count), offset, size, stride) in named.items():
        flat = storages[key]
        last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
        if min((*size, *stride), default=1) < 1 or offset < 0 or last >= flat.size:
            raise ValueError(f"{name} reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(flat[offset:], size, [4 * step for step in stride])
        tensors[name] = np.ascontiguousarray(view)
    return tensors


def build(name, tensors):
    """The ONNX model of one network."""
    net = NETS[name]
    nodes, weights, used = [], [], set()

    def weight(key, shape=None):
        used.add(key)
        array = tensors[key] if shape is None else tensors[key].reshape(shape)
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), key))
        return key

    def layer(what, source, result, flat):
        if isinstance(what, int):
            nodes.append(helper.make_node("MaxPool", [source], [result], kernel_shape=[what, what], strides=[2, 2], ceil_mode=1))
        elif what == "flatten":
            # The weights were made where pictures are stored column by column: [N, width, height, channels].
            nodes.append(helper.make_node("Transpose", [source], [result + "_t"], perm=[0, 3, 2, 1]))
            nodes.append(helper.make_node("Flatten", [result + "_t"], [result]))
        elif what.startswith("prelu"):
            slope = weight(f"{what}.weight", (-1,) if flat else (-1, 1, 1))
            nodes.append(helper.make_node("PRelu", [source, slope], [result]))
        else:
            inputs = [source, weight(f"{what}.weight"), weight(f"{what}.bias")]
            dense = {"transB": 1} if what.startswith("dense") else {}
            nodes.append(helper.make_node("Gemm" if dense else "Conv", inputs, [result], **dense))

    flow, flat = "input", False
    for number, what in enumerate(net["layers"]):
        flat = flat or what == "flatten"
        layer(what, flow, f"x{number}", flat)
        flow = f"x{number}"
    for output, what in net["outputs"].items():
        layer(what, flow, "logits" if output == "prob" else output, flat)
    nodes.append(helper.make_node("Softmax", ["logits"], ["prob"], axis=1))

    if used != set(tensors) or sum(array.size for array in tensors.values()) != net["parameters"]:
        raise ValueError(f"these are not the weights of {name}: {sum(a.size for a in tensors.values())} numbers, {sorted(tensors)}")
    around = ["N", "h", "w"] if name == "pnet" else ["N"]
    shapes = {output: [around[0], SIZES[output], *around[1:]] for output in net["outputs"]}
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, net["input"])
    results = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape) for output, shape in shapes.items()]
    body = helper.make_graph(nodes, f"mtcnn_{name}", [source], results, weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="bertillon")
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in NETS:
        sys.exit("usage: convert_mtcnn.py pnet|rnet|onet FILE.pt FILE.onnx")
    model = build(sys.argv[1], read(sys.argv[2]))
    with open(sys.argv[3], "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
