"""Small networks as MatConvNet's SimpleNN stores them, and the weights that reading them must give (SciPy writes them).

python3 generate.py
"""
import json
import struct

import numpy as np
from scipy.io import savemat

rng = np.random.default_rng(4)


def cells(items):
    result = np.empty((1, len(items)), dtype=object)
    for index, item in enumerate(items):
        result[0, index] = item
    return result


def convolution(inputs, outputs, dtype=np.float32, bias=True):
    w = rng.standard_normal((3, 3, inputs, outputs)).astype(dtype)
    b = rng.standard_normal((outputs, 1)).astype(dtype) if bias else np.zeros((0, 0), np.float32)
    return {"type": "conv", "weights": cells([w, b]), "pad": np.float64(1), "name": "größe"}, w, b


def normal(channels):
    g, b = (rng.standard_normal((channels, 1)).astype(np.float32) for _ in range(2))
    m = np.stack([rng.standard_normal(channels), rng.uniform(0.5, 2, channels)], 1).astype(np.float32)
    return {"type": "bnorm", "weights": cells([g, b, m])}, g, b, m


def safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def plain(w):
    return np.ascontiguousarray(w.transpose(3, 2, 0, 1), dtype=np.float32)


# DnCNN with batch normalisation, whole numbers, doubles and an empty bias.
a, wa, ba = convolution(1, 4)
b, wb, _ = convolution(4, 4, bias=False)
n, g, beta, m = normal(4)
c, wc, bc = convolution(4, 1, np.float64)
net = {"layers": cells([a, {"type": "relu"}, b, n, {"type": "relu"}, c]), "meta": {"sigma": np.uint8(25)}}
savemat("dncnn.mat", {"net": net, "note": "text"}, do_compression=True)
savemat("dncnn_plain.mat", {"note": "text", "net": net}, do_compression=False)
s = (g / m[:, 1:])[:, 0]
safetensors("dncnn_expected.safetensors", {
    "model.0.weight": plain(wa), "model.0.bias": ba[:, 0],
    "model.2.weight": plain(wb) * s[:, None, None, None], "model.2.bias": (-m[:, 0] * s + beta[:, 0]),
    "model.4.weight": plain(wc), "model.4.bias": bc[:, 0].astype(np.float32),
})

# FFDNet: sub-pixels along columns in the file, along rows in the result.
a, wa, ba = convolution(5, 3)
b, wb, bb = convolution(3, 4)
savemat("ffdnet.mat", {"net": {"layers": cells([{"type": "SubP"}, {"type": "concat"}, a, {"type": "relu"}, b])}},
        do_compression=True)
order = [0, 2, 1, 3]
safetensors("ffdnet_expected.safetensors", {
    "model.0.weight": np.ascontiguousarray(plain(wa)[:, order + [4]]), "model.0.bias": ba[:, 0],
    "model.2.weight": np.ascontiguousarray(plain(wb)[order]), "model.2.bias": np.ascontiguousarray(bb[order, 0]),
})
