"""Reads what `sfumato bench peers --export` writes: the safetensors format, float32 only."""

import json

import torch


def read(path):
    """The tensors by name, and the texts of the metadata."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    texts = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}, only F32 is read here")
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin) \
            if end > begin else torch.empty(0)
        # A copy: a view would keep the whole file in memory.
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, texts
