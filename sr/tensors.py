"""Tensors and plain values on disk, read without running anything that a file holds."""

import io
from typing import Any

import torch
from torch import Tensor

from sr.files import StrPath, write_bytes


def write_tensors(path: StrPath, content: Any) -> None:  # noqa: ANN401 - nested tensors and plain values
    """Write tensors and plain values, complete or not at all.

    Args:
        path: The file.
        content: Nested lists and dictionaries of them.

    Raises:
        InputError: Where the file cannot be written, as on a full disk.
    """
    # Through memory: where the disk is full torch.save itself raises a RuntimeError that does not say so.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def read_tensors(path: StrPath) -> Any:  # noqa: ANN401 - as written
    """Read what `write_tensors` wrote, on the CPU.

    Raises:
        Exception: Whatever torch.load raises for anything else, nothing of which is run.
    """
    return torch.load(path, map_location="cpu", weights_only=True)


def in_float64(values: Tensor) -> Tensor:
    """Return values in float64, where they are; on the CPU where their device, such as Apple's GPU, has no float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()
