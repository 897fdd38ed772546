"""The files of a network in 8 bits and, to be compared with, in float: of free size and of a fixed one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sr.files import write_bytes
from sr.lr_size import LrSize, size_text
from sr.measure.engines import open_vino as engine_vino
from sr.measure.engines.registry import ENGINES
from sr.quantization import onnx_runtime, open_vino
from sr.scale import DEFAULT_SCALE


@dataclass(frozen=True)
class Files:
    """Where a network lies: `free` takes pictures of any size, `fixed` one picture of one size."""

    free: Path
    fixed: Path


def files_of(engine: str, stem: Path, lr_size: LrSize) -> Files:
    """Return what the files of a network are called; arguments: as of `write_files`."""
    ending = ENGINES[engine].ending
    return Files(stem.with_name(f"{stem.name}{ending}"), stem.with_name(f"{stem.name}-{size_text(lr_size)}{ending}"))


def write_files(
    graph: bytes,
    engine: str,
    stem: Path,
    lr_size: LrSize,
    *,
    pictures: Sequence[Tensor] = (),
    keep: str | None = None,
    scale: int = DEFAULT_SCALE,
) -> Files:
    """Write a network for an engine, of free and of fixed size.

    Args:
        graph: ONNX in float32 of free size.
        engine: A key of `WRITERS`.
        stem: The files, without their endings.
        lr_size: The fixed size, (height, width).
        pictures: What the ranges are read off.
        keep: What stays in float, a key of `KEEPS`; None for all of it.
        scale: The network's.

    Raises:
        InputError: Where the network cannot be quantised or a file cannot be written.
    """
    files = files_of(engine, stem, lr_size)
    WRITERS[engine](graph, files, _Sizes(lr_size, scale), pictures, keep)
    return files


@dataclass(frozen=True)
class _Sizes:
    """Height and width of LR, and how many times larger SR is."""

    lr_size: LrSize
    scale: int


def _write_onnx(graph: bytes, files: Files, sizes: _Sizes, pictures: Sequence[Tensor], keep: str | None) -> None:
    """Write ONNX for onnxruntime."""
    content = graph if keep is None else onnx_runtime.quantized(graph, pictures, keep)
    write_bytes(files.free, content)
    write_bytes(files.fixed, onnx_runtime.at_size(content, sizes.lr_size, sizes.scale))


def _write_ir(graph: bytes, files: Files, sizes: _Sizes, pictures: Sequence[Tensor], keep: str | None) -> None:
    """Write IR for OpenVINO, which infers the size of SR itself."""
    model = engine_vino.read_graph(graph)
    if keep is not None:
        model = open_vino.quantized(model, pictures, keep)
    engine_vino.write_ir(model, files.free)
    engine_vino.write_ir(open_vino.at_size(model, sizes.lr_size), files.fixed)


_Writer = Callable[[bytes, Files, _Sizes, Sequence[Tensor], str | None], None]
WRITERS: Mapping[str, _Writer] = {"onnxruntime": _write_onnx, "openvino": _write_ir}
