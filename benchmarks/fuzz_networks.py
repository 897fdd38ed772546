"""Networks in files: checkpoints, published weights and ONNX that are not what they should be."""

import copy
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import torch
from fuzz_broken import ODD, Draw, broken, edited
from fuzz_case import OUT, Case
from fuzz_files import Look, onnx_file, picture
from hypothesis import strategies as st
from onnx import TensorProto
from safetensors.torch import save as as_safetensors

# Types that every container holds.
_PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8)


def _odd_tensor(draw: Draw, tensor: torch.Tensor) -> Any:  # noqa: ANN401 - or none at all
    how = draw(st.sampled_from(("shape", "dtype", "infinite", "sparse", "expanded", "empty", "meta", "odd")))
    if how == "shape":
        return tensor.flatten() if tensor.dim() > 1 else tensor[None]
    if how == "dtype":
        names = ("float16", "bfloat16", "float64", "int64", "bool", "complex64", "uint8", "float8_e4m3fn")
        return tensor.to(getattr(torch, draw(st.sampled_from(names))))
    made: dict[str, Callable[[], Any]] = {
        "infinite": lambda: torch.full_like(tensor.float(), float(draw(st.sampled_from(("inf", "nan", "1e38"))))),
        "sparse": tensor.to_sparse, "expanded": lambda: tensor.flatten()[:1].expand(tensor.shape),
        "empty": lambda: tensor.new_empty(0), "meta": lambda: tensor.to("meta"), "odd": lambda: draw(ODD),
    }  # fmt: skip
    return made[how]()


def _changed(draw: Draw, content: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint holds with a field, a part of its description or a tensor another or missing."""
    content = copy.copy(content)
    where = draw(st.sampled_from(("none", "none", "field", "config", "config", "tensors", "tensors")))
    if where == "field":
        name = draw(st.sampled_from(sorted(content)))
        content.pop(name)
        if draw(st.booleans()):
            content[name] = draw(ODD)
    elif where == "config":
        content["config"] = edited(draw, dict(content["config"]))
    elif where == "tensors":
        tensors = dict(content["tensors"])
        name = draw(st.sampled_from(sorted(tensors)))
        tensor = tensors.pop(name)
        if draw(st.integers(0, 3)):
            tensors[name if draw(st.booleans()) else f"module.{name}"] = _odd_tensor(draw, tensor)
        content["tensors"] = tensors
    return content


def _container(draw: Draw, content: dict[str, Any]) -> bytes:
    """Return a file of them, by torch.save new and old, safetensors, or a bomb in their place."""
    way = draw(st.sampled_from(("zip", "zip", "zip", "old", "tensors", "safetensors", "bomb")))
    buffer = io.BytesIO()
    if way == "bomb":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(2**24))
        return buffer.getvalue()
    tensors = content.get("tensors")
    plain = isinstance(tensors, dict) and all(
        isinstance(each, torch.Tensor) and each.layout == torch.strided and not each.is_meta and each.dtype in _PLAIN
        for each in tensors.values()
    )
    if way == "safetensors" and plain:
        assert isinstance(tensors, dict)
        return as_safetensors({name: each.clone().contiguous() for name, each in tensors.items()})
    held = tensors if way == "tensors" else content
    torch.save(held, buffer, _use_new_zipfile_serialization=way != "old" or not plain)
    return buffer.getvalue()


@st.composite
def networks(draw: Draw, checkpoints: Mapping[str, dict[str, Any]]) -> Case:
    """Draw checkpoints and weights with keys missing, other shapes and types, in every container, broken."""
    content = _changed(draw, checkpoints[draw(st.sampled_from(sorted(checkpoints)))])
    name = f"in/net{draw(st.sampled_from(('.pth', '.pth', '.pt', '.safetensors', '.ckpt', '')))}"
    files = {
        name: broken(draw, _container(draw, content), most=1),
        "in/p/a.png": picture(Look("RGB", 9, 8), "PNG", {}),
    }
    ways: dict[str, list[str]] = {
        "sr.upscale": [name, "in/p", "--device", "cpu", "--out", OUT],
        "sr.evaluate": [name, "--val", "in/p", "--device", "cpu"],
        "sr.export": [name, "--format", "safetensors", "--out", OUT],
        "baselines.convert": ["espcn", name, "--out", f"{OUT}/net.pth"],
        "prune.run": [name, "--engine", "torch", "--data", "in/nowhere", "--out", OUT],
    }
    command = draw(st.sampled_from(sorted(ways)))
    return Case("checkpoints", command, tuple(ways[command]), files)


@st.composite
def engine_files(draw: Draw) -> Case:
    """Draw ONNX of one size, with operators that an engine lacks, other types and outputs, broken."""
    side = st.sampled_from(("h", "w", 0, -1, 1, 3, 7, 16, 24, 100_000))
    arguments: dict[str, Any] = {}
    if not draw(st.integers(0, 3)):
        names = ("Nonsense", "Identity", "NonMaxSuppression", "Einsum", "Softmax", "GlobalAveragePool")
        arguments["operator"] = draw(st.sampled_from(names))
    if draw(st.booleans()):
        batch, channels = draw(st.sampled_from(("n", 1, 2, 0))), draw(st.sampled_from((3, 1, 4, "c")))
        arguments["sides"] = [batch, channels, draw(side), draw(side)][: draw(st.sampled_from((4, 4, 4, 3, 0)))]
    if not draw(st.integers(0, 2)):
        arguments["scale"] = draw(st.sampled_from((4.0, 2.0, 1.0, 0.0, -4.0, 3.7, 1e6, float("nan"))))
    if not draw(st.integers(0, 2)):
        types = (TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.STRING, TensorProto.INT64)
        arguments["dtype"] = draw(st.sampled_from(types))
    if not draw(st.integers(0, 2)):
        arguments |= {"opset": draw(st.sampled_from((1, 11, 17, 999))), "domain": draw(st.sampled_from(("", "x.y")))}
    if not draw(st.integers(0, 2)):
        arguments |= {"inputs": draw(st.integers(1, 2)), "outputs": draw(st.integers(0, 2))}
    look = Look("RGB", draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    files = {"in/net.onnx": broken(draw, onnx_file(**arguments), most=2), "in/p/a.png": picture(look, "PNG", {})}
    flags = ["--engine", draw(st.sampled_from(("auto", "auto", "openvino"))), "--device", "cpu"]
    if draw(st.booleans()):
        tile = draw(st.sampled_from(("0", "16")))
        return Case("ONNX", "sr.upscale", ("in/net.onnx", "in/p", *flags, "--tile", tile, "--out", OUT), files)
    return Case("ONNX", "sr.evaluate", ("in/net.onnx", "--val", "in/p", *flags), files)
