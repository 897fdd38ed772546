"""From the files of pairs to their pixels: decoded by threads, in order, and packed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sr.data.degradation import crop_to_multiple, degrade
from sr.data.finding import Source
from sr.data.images import read_picture, to_8_bit
from sr.data.left_out import LeftOut
from sr.data.manifest import Manifest, Used, digest_of
from sr.data.pairs import Pairs, packed
from sr.errors import InputError
from sr.pictures.reading import any_size, size_of
from sr.scale import DEFAULT_SCALE

UNREADABLE = "unreadable"
_DECODING_THREADS = 4
_DECODED_AT_ONCE = 32
_SHARES = {2: "half", 3: "a third", 4: "a quarter"}


@dataclass(frozen=True, eq=False)
class _Decoded:
    """LR and HR, both (h, w, 3) uint8, HR `scale` times as large; cropped and digest as of `sr.data.manifest.Used`."""

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    cropped: str
    digest: str


@dataclass(frozen=True)
class Minimum:
    """How small LR may be.

    Attributes:
        lr_side: The shortest side, in pixels.
        reason: Why smaller pictures are left out, in words that follow a number.
    """

    lr_side: int
    reason: str


def decode_all(
    entries: Sequence[Source],
    names: Sequence[str],
    minimum: Minimum,
    memory_limit: int,
    scale: int = DEFAULT_SCALE,
) -> tuple[Pairs | None, Manifest]:
    """Decode pairs in their order.

    Args:
        entries: Their files.
        names: What each is called.
        minimum: How small they may be.
        memory_limit: Over so many bytes the pixels lie in a temporary file that is mapped into memory.
        scale: Of LR that is given, and of LR that is made.

    Returns:
        The pairs, None where none can be used, and what was used and what not.

    Raises:
        InputError: Where the temporary folder has no room.
    """
    pictures: list[Used] = []
    left_out: list[LeftOut] = []
    # Around all threads: what it does is of the whole process.
    with any_size():
        lr, hr = _room_for(entries, memory_limit, scale)
        filled = 0
        for entry, name, result in zip(entries, names, _decoded(entries, minimum, scale), strict=True):
            if isinstance(result, LeftOut):
                left_out.append(result)
                continue
            small, large = (torch.from_numpy(np.ascontiguousarray(side)).view(-1) for side in (result.lr, result.hr))
            lr[filled : filled + len(small)] = small
            hr[filled * scale**2 : filled * scale**2 + len(large)] = large
            filled += len(small)
            height, width = result.hr.shape[:2]
            pictures.append(Used(name, entry.hr, entry.lr, width, height, result.cropped, result.digest))
    manifest = Manifest(tuple(pictures), tuple(left_out), scale)
    if not pictures:
        return None, manifest
    sizes = [(each.height, each.width) for each in pictures]
    small_sizes = [(height // scale, width // scale) for height, width in sizes]
    sides = packed(lr[:filled], small_sizes), packed(hr[: filled * scale**2], sizes)
    return Pairs(tuple(each.name for each in pictures), *sides, scale), manifest


def _room_for(entries: Sequence[Source], memory_limit: int, scale: int) -> tuple[Tensor, Tensor]:
    """Return room for the pixels of LR and of HR, as far as the headers of the files tell."""
    hr_bytes = sum(_header_bytes(entry.hr) for entry in entries)
    lr_bytes = sum(_header_bytes(entry.lr) if entry.lr else _header_bytes(entry.hr) // scale**2 for entry in entries)
    mapped = lr_bytes + hr_bytes > memory_limit
    return _allocate(lr_bytes, mapped=mapped), _allocate(hr_bytes, mapped=mapped)


def _decoded(entries: Sequence[Source], minimum: Minimum, scale: int) -> Iterator[_Decoded | LeftOut]:
    """Yield the pixels of every entry in order, or why it cannot be used.

    Threads decode a few pictures ahead, not all: decoded pictures wait in memory.
    """
    with ThreadPoolExecutor(_DECODING_THREADS) as pool:
        for start in range(0, len(entries), _DECODED_AT_ONCE):
            yield from pool.map(lambda entry: _decode(entry, minimum, scale), entries[start : start + _DECODED_AT_ONCE])


def _decode(entry: Source, minimum: Minimum, scale: int) -> _Decoded | LeftOut:
    """Return the pixels of a pair, or why it is left out: broken, too small, or of sizes that do not fit."""
    try:
        hr = to_8_bit(read_picture(entry.hr))
        lr = to_8_bit(read_picture(entry.lr)) if entry.lr else None
        digest = digest_of([entry.hr, *([entry.lr] if entry.lr else [])])
    except (InputError, OSError) as error:
        why = str(error).removeprefix(f"cannot read the picture {entry.hr}: ")
        return LeftOut(entry.hr, UNREADABLE, why.removesuffix("; replace it or leave it out"))
    height, width = hr.shape[:2]
    cropped = ""
    if lr is not None:
        lr_height, lr_width = lr.shape[:2]
        beyond, slack = (height - scale * lr_height, width - scale * lr_width), max(scale, entry.slack)
        # MATLAB's LR of a side that is no multiple of the scale is rounded up: LR may exceed HR as well.
        if not all(-scale < over < slack for over in beyond):
            return LeftOut(entry.hr, misfit(scale), f"{lr_width}x{lr_height} for {width}x{height}")
        if any(beyond):
            cropped = f"{width}x{height}"
            lr = lr[: height // scale, : width // scale]
            hr = hr[: scale * lr.shape[0], : scale * lr.shape[1]]
    if min(hr.shape[:2]) < scale * minimum.lr_side:
        return LeftOut(entry.hr, minimum.reason, f"{width}x{height}")
    if lr is None:
        return _Decoded(degrade(hr, scale), crop_to_multiple(hr, scale), "", digest)
    return _Decoded(lr, hr, cropped, digest)


def misfit(scale: int) -> str:
    """Return why pairs whose sizes do not fit a scale are left out."""
    return f"whose LR is not {_SHARES[scale]} of HR"


def _header_bytes(path: Path) -> int:
    """Return the bytes of the picture as 8-bit RGB; 0 where the header is broken, which decoding then reports."""
    try:
        height, width = size_of(path)
    except InputError:
        return 0
    return 3 * height * width


def _allocate(count: int, *, mapped: bool) -> Tensor:
    """Return (count,) uint8, not initialised; `mapped`: in a temporary file that vanishes with the tensor."""
    if not mapped or count == 0:
        return torch.empty(count, dtype=torch.uint8)
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < count:
        raise InputError(
            f"the pictures need {count / 2**30:.1f} GiB in {folder}, which has {free / 2**30:.1f} free; "
            f"name a roomier folder in TMPDIR"
        )
    handle, name = tempfile.mkstemp(prefix="paretosr-", suffix=".pixels", dir=folder)
    os.close(handle)
    values = torch.from_file(name, shared=True, size=count, dtype=torch.uint8)
    # The mapping outlives the name. Windows refuses to remove a mapped file and leaves that to its own clean-up.
    with contextlib.suppress(PermissionError):
        Path(name).unlink()
    return values
