"""Which engines run a network in a file, by the file's ending; free of torch."""

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
