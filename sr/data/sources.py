"""Where LR and HR pairs come from: photographs inside scikit-image, a folder of one's own, DIV2K."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import skimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from sr.data import div2k
from sr.data.degradation import crop_to_multiple, downscale
from sr.data.images import picture_paths, picture_size, read_picture, to_8_bit
from sr.data.pairs import Pairs, packed
from sr.errors import InputError
from sr.files import StrPath
from sr.lr_size import SCALE
from sr.memory import free_bytes
from sr.progress import Message, Report, no_report

Part = Literal["train", "val"]
_Decoded = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# Photographs that scikit-image carries; both views of the motorcycle show one scene, so both are trained on.
EMBEDDED: dict[Part, tuple[str, ...]] = {
    "train": (
        "astronaut.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "retina.jpg",
    ),
    "val": ("chelsea.png", "coffee.png", "rocket.jpg"),
}
_DIV2K_PARTS: dict[Part, str] = {"train": "train", "val": "valid"}
_DECODING_THREADS = 4
_DECODED_AT_ONCE = 32


@dataclass(frozen=True)
class Source:
    """The files of one pair; without an LR file it is made from HR."""

    hr: Path
    lr: Path | None = None


def load_pairs(
    folder: StrPath | None,
    part: Part,
    *,
    minimum_lr_side: int = 1,
    report: Report = no_report,
    memory_limit: int | None = None,
) -> Pairs:
    """Decode all pairs of a folder, or without one the photographs inside scikit-image.

    Args:
        folder: Holds HR/ and LRx4/, or is DIV2K's, or holds HR pictures, whose LR is then made by `downscale`.
        part: Which of DIV2K's pictures, or of scikit-image's photographs.
        minimum_lr_side: In pixels; smaller pictures are skipped.
        report: Is told of every picture that is skipped, since it is broken, too small or does not fit its LR.
        memory_limit: Over so many bytes the pixels lie in a temporary file that is mapped into memory; default: half
            of what is free.

    Returns:
        The pairs in the order of their names, on the CPU.

    Raises:
        InputError: Where no pair is left.
    """
    folder = None if folder is None else Path(folder)
    limit = free_bytes() // 2 if memory_limit is None else memory_limit
    pairs = _decode_all(sources(folder, part, report), max(1, minimum_lr_side), report, limit)
    if pairs is None:
        side = SCALE * max(1, minimum_lr_side)
        raise InputError(
            f"no usable picture in {folder or 'scikit-image'}: at least one must read and have sides of {side} pixels"
        )
    return pairs


def sources(folder: Path | None, part: Part, report: Report) -> list[Source]:
    """List the pairs of a folder by its layout.

    Args:
        folder: As `load_pairs` takes it.
        part: Which of DIV2K's pictures, or of scikit-image's photographs.
        report: Is told of HR pictures without an LR.

    Raises:
        InputError: Where it holds none.
    """
    if folder is None:
        inside = Path(skimage.__file__).parent / "data"
        return [Source(inside / name) for name in EMBEDDED[part]]
    if (folder / "HR").is_dir():
        return _matched(folder / "HR", folder / "LRx4", "", report)
    if any((folder / div2k.hr_folder(each)).is_dir() for each in _DIV2K_PARTS.values()):
        name = _DIV2K_PARTS[part]
        return _matched(folder / div2k.hr_folder(name), folder / div2k.lr_folder(name), "x4", report)
    return [Source(path) for path in picture_paths(folder)]


def _matched(hr_folder: Path, lr_folder: Path, ending: str, report: Report) -> list[Source]:
    """Pair HR with the LR pictures of the same name plus `ending`; without an LR folder all LR is to be made."""
    hr = picture_paths(hr_folder)
    if not lr_folder.is_dir():
        return [Source(path) for path in hr]
    lr = {path.stem: path for path in picture_paths(lr_folder)}
    for path in hr:
        if path.stem + ending not in lr:
            report(Message(f"skipped {path}: {lr_folder} holds no {path.stem}{ending}", aside=True))
    return [Source(path, lr[path.stem + ending]) for path in hr if path.stem + ending in lr]


def _decode_all(entries: Sequence[Source], minimum: int, report: Report, memory_limit: int) -> Pairs | None:
    """Decode the pairs in their order; None where every one of them is skipped."""
    hr_bytes = sum(_header_bytes(entry.hr) for entry in entries)
    lr_bytes = sum(_header_bytes(entry.lr) if entry.lr else _header_bytes(entry.hr) // SCALE**2 for entry in entries)
    mapped = lr_bytes + hr_bytes > memory_limit
    lr, hr = _allocate(lr_bytes, mapped=mapped), _allocate(hr_bytes, mapped=mapped)
    names: list[str] = []
    sizes: list[tuple[int, int]] = []
    used = 0
    for entry, result in zip(entries, _decoded(entries, minimum), strict=True):
        if isinstance(result, InputError):
            report(Message(f"skipped {entry.hr}: {result}", aside=True))
            continue
        small, large = (torch.from_numpy(np.ascontiguousarray(picture)).view(-1) for picture in result)
        lr[used : used + len(small)] = small
        hr[used * SCALE**2 : used * SCALE**2 + len(large)] = large
        used += len(small)
        names.append(entry.hr.stem)
        sizes.append(result[0].shape[:2])
    if not names:
        return None
    hr_sizes = [(SCALE * height, SCALE * width) for height, width in sizes]
    return Pairs(tuple(names), packed(lr[:used], sizes), packed(hr[: used * SCALE**2], hr_sizes))


def _decoded(entries: Sequence[Source], minimum: int) -> Iterator[_Decoded | InputError]:
    """Yield LR (h, w, 3) and HR (4h, 4w, 3) of every entry in order, or why it cannot be used.

    Threads decode a few pictures ahead, not all: decoded pictures wait in memory.
    """

    def attempt(entry: Source) -> _Decoded | InputError:
        try:
            return _decode(entry, minimum)
        except InputError as error:
            return error

    with ThreadPoolExecutor(_DECODING_THREADS) as pool:
        for start in range(0, len(entries), _DECODED_AT_ONCE):
            yield from pool.map(attempt, entries[start : start + _DECODED_AT_ONCE])


def _decode(entry: Source, minimum: int) -> _Decoded:
    """Return LR (h, w, 3) and HR (4h, 4w, 3); InputError where a file is broken, too small or does not fit."""
    hr = to_8_bit(read_picture(entry.hr))
    height, width = hr.shape[:2]
    if min(height, width) < SCALE * minimum:
        raise InputError(f"its sides must be at least {SCALE * minimum} pixels, got {width}x{height}")
    if entry.lr is None:
        return downscale(hr), crop_to_multiple(hr)
    lr = to_8_bit(read_picture(entry.lr))
    if (SCALE * lr.shape[0], SCALE * lr.shape[1]) != (height, width):
        raise InputError(
            f"LR must be exactly a quarter of HR, got {lr.shape[1]}x{lr.shape[0]} ({entry.lr}) for {width}x{height}"
        )
    return lr, hr


def _header_bytes(path: Path) -> int:
    """Return the bytes of the picture as 8-bit RGB; 0 where the header is broken, which decoding then reports."""
    try:
        height, width = picture_size(path)
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
