"""Files of weights: every set of named tensors that one holds, read without running anything in it."""

import argparse
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sr import checkpoint
from sr.errors import InputError
from sr.files import BROKEN_ZIP

_START = 64
# How files begin that are saved in place of weights.
_OTHERS: dict[bytes, str] = {
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself (git lfs pull)",
    b"<": "a web page; download the file itself",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"\x08": "no file of tensors (an ONNX network, perhaps): weights are a .pth, .pt, .ckpt or .safetensors",
}
# What training frameworks put beside tensors: options and figures, plain values that run nothing when they are made.
_SCALAR: Any = np.float64(0).__reduce__()[0]
_PLAIN: list[Any] = [
    argparse.Namespace,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64", "bool")),
]


@dataclass(frozen=True)
class NamedTensors:
    """Tensors of a file that stand side by side.

    Attributes:
        place: The names that lead to them, dots between, such as "state_dict" or "params_ema"; empty at the top.
        tensors: By their names there.
    """

    place: str
    tensors: Mapping[str, Tensor]


def read(path: Path) -> list[NamedTensors]:
    """Read a file of weights, however its author wrapped them.

    Args:
        path: A file of torch.save or of safetensors.

    Returns:
        Every set of named tensors in it, at least one, in the order of the file.

    Raises:
        InputError: Where the file is not there, cannot be read or holds anything else.
    """
    if not path.is_file():
        raise InputError(f"no weights at {path}" + (" (it is a folder)" if path.is_dir() else ""))
    content = _content(path)
    if isinstance(content, Mapping) and content.get("format") == checkpoint.FORMAT:
        raise InputError(f"{path} is a checkpoint of ours already: every command takes it as it is")
    found = list(_sets(content))
    if not found:
        raise InputError(f"{path} must hold named tensors, as torch.save(network.state_dict(), FILE) writes them")
    return found


def _sets(content: object, place: str = "") -> Iterator[NamedTensors]:
    """Yield the sets of named tensors at `place` and below it."""
    if isinstance(content, list | tuple):
        content = {str(number): value for number, value in enumerate(content)}
    if not isinstance(content, Mapping):
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield NamedTensors(place, tensors)
    for name, value in content.items():
        # Optimisers number their moments; no network does so with the tensors themselves below.
        if isinstance(name, str):
            yield from _sets(value, f"{place}.{name}" if place else name)


def _content(path: Path) -> object:
    """Return what the file holds: tensors and plain values."""
    with path.open("rb") as file:
        start = file.read(_START)
    if not start:
        raise InputError(f"{path} is no file of tensors: it is empty")
    if start[8:9] == b"{":
        return _safetensors(path)
    for beginning, kind in _OTHERS.items():
        if start.lstrip().startswith(beginning):
            raise InputError(f"{path} is {kind}")
    if start.startswith(b"PK"):
        _check_archive(path)
    try:
        with torch.serialization.safe_globals(_PLAIN):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f"it asks to run {asked[1]}, and nothing in it was run" if asked else "truncated, or something else"
        raise InputError(f"{path} is no file of tensors alone ({why}); save the network's state_dict()") from error


def _check_archive(path: Path) -> None:
    """Raise InputError for a zip archive that torch.save did not write, by what it is instead."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except BROKEN_ZIP:
        return  # torch.load refuses it.
    endings = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in endings:
        raise InputError(f"{path} is a TorchScript program, not weights; save the network's state_dict()")
    if "data.pkl" not in endings:
        kind = "a program of torch.export" if "archive_format" in endings else "a zip archive; unpack it"
        raise InputError(f"{path} is {kind}: weights are a .pth, .pt, .ckpt or .safetensors")


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError("reading .safetensors takes safetensors: pip install 'paretosr[export]'") from error
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no file of tensors: {checkpoint.one_line(error, 120)}") from error
