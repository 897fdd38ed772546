"""Which engines run a network in a file, by the file's ending; free of torch."""

import re
from pathlib import Path

from sr.constraints import AUTO, ENGINE_NAMES
from sr.errors import InputError

# The first is the one that such files are for. What has another ending is a checkpoint, which every engine runs that
# takes pictures of any size.
_TAKEN_BY = {".onnx": ("onnxruntime", "openvino"), ".xml": ("openvino",), ".plan": ("tensorrt",)}
_CHECKPOINT = ("torch", "onnxruntime", "openvino", "tensorrt")


def is_checkpoint(path: Path) -> bool:
    """Return whether a file is no engine's own, but a checkpoint of ours."""
    return path.suffix.lower() not in _TAKEN_BY


def file_engine(path: Path, engine: str = AUTO) -> str:
    """Return the engine that runs a network in a file.

    Args:
        path: A checkpoint of ours, ONNX, OpenVINO's IR (.xml) or TensorRT's plan.
        engine: One of `ENGINE_NAMES`, or auto: onnxruntime for ONNX, openvino for IR, torch for a checkpoint.

    Raises:
        InputError: Where it is no engine, or none that runs such a file.
    """
    taken_by = _TAKEN_BY.get(path.suffix.lower(), _CHECKPOINT)
    if engine == AUTO:
        return taken_by[0]
    if engine not in ENGINE_NAMES:
        raise InputError(f"--engine must be one of {AUTO}, {', '.join(ENGINE_NAMES)}, got {engine!r}")
    if engine not in taken_by:
        what = "pictures of any size in a checkpoint" if is_checkpoint(path) else f"a {path.suffix} file"
        raise InputError(f"--engine {engine} does not run {what}, such as {path}; {' or '.join(taken_by)} does")
    return engine


def lr_size_of(path: Path) -> tuple[int | None, int | None]:
    """Return the height and width that a network in a file takes alone; None for each that is free or not told.

    ONNX and OpenVINO's IR tell; a checkpoint is free, and a TensorRT plan is not opened here.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in (".onnx", ".xml"):
        return None, None
    shape = _onnx_shape(path) if suffix == ".onnx" else _ir_shape(path)
    return (shape[2], shape[3]) if len(shape) == 4 else (None, None)


def _onnx_shape(path: Path) -> list[int | None]:
    """Return the shape of an ONNX file's first input that is no weight; empty where it is no such file."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except (DecodeError, OSError, ValueError):
        # Whoever runs it says what is wrong with it.
        return []
    weights = {weight.name for weight in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    dimensions = inputs[0].type.tensor_type.shape.dim if inputs else []
    return [each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in dimensions]


def _ir_shape(path: Path) -> list[int | None]:
    """Return the shape of an IR file's first parameter; empty where it has none."""
    layer = re.search(r'<layer\b[^>]*\btype="Parameter"[^>]*>\s*<data\b[^>]*\bshape="([^"]*)"', _text(path))
    sides = [side.strip() for side in layer[1].split(",")] if layer else []
    return [int(side) if side.isdecimal() else None for side in sides]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
