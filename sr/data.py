"""Where LR and HR pairs come from: photographs inside scikit-image, a folder of one's own, DIV2K."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import skimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from sr import div2k
from sr.command import DONE, Parser, run, say
from sr.degradation import SCALE, crop_to_multiple, downscale
from sr.errors import InputError
from sr.images import picture_paths, picture_size, read_picture, to_8_bit
from sr.memory import free_bytes
from sr.pairs import Pairs, packed

Part = Literal["train", "val"]
Report = Callable[[str], None]
Decoded = tuple[NDArray[np.uint8], NDArray[np.uint8]]

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
DIV2K_PARTS: dict[Part, str] = {"train": "train", "val": "valid"}
DECODING_THREADS = 4
DECODED_AT_ONCE = 32


@dataclass(frozen=True)
class Source:
    """The files of one pair; without an LR file it is made from HR."""

    hr: Path
    lr: Path | None = None


def load_pairs(
    folder: Path | None,
    part: Part,
    *,
    minimum_lr_side: int = 1,
    report: Report,
    memory_limit: int | None = None,
) -> Pairs:
    """Decode all pairs of a folder, or without one the photographs inside scikit-image.

    The folder holds HR/ and LRx4/, or is DIV2K's (of which `part` picks one), or holds HR pictures, whose LR is then
    made by `downscale`. What is broken, does not fit or has an LR side under minimum_lr_side is skipped and named to
    `report`; with nothing left it is an InputError. Over memory_limit bytes (default: half of what is free) the
    pixels lie in a temporary file that is mapped into memory.
    """
    limit = free_bytes() // 2 if memory_limit is None else memory_limit
    pairs = decode_all(sources(folder, part, report), max(1, minimum_lr_side), report, limit)
    if pairs is None:
        side = SCALE * max(1, minimum_lr_side)
        raise InputError(
            f"no usable picture in {folder or 'scikit-image'}: at least one must read and have sides of {side} pixels"
        )
    return pairs


def sources(folder: Path | None, part: Part, report: Report) -> list[Source]:
    """List the pairs of a folder by its layout; raises InputError where it holds none."""
    if folder is None:
        inside = Path(skimage.__file__).parent / "data"
        return [Source(inside / name) for name in EMBEDDED[part]]
    if (folder / "HR").is_dir():
        return matched(folder / "HR", folder / "LRx4", "", report)
    if any((folder / div2k.hr_folder(each)).is_dir() for each in DIV2K_PARTS.values()):
        name = DIV2K_PARTS[part]
        return matched(folder / div2k.hr_folder(name), folder / div2k.lr_folder(name), "x4", report)
    return [Source(path) for path in picture_paths(folder)]


def matched(hr_folder: Path, lr_folder: Path, ending: str, report: Report) -> list[Source]:
    """Pair HR with the LR pictures of the same name plus `ending`; without an LR folder all LR is to be made."""
    hr = picture_paths(hr_folder)
    if not lr_folder.is_dir():
        return [Source(path) for path in hr]
    lr = {path.stem: path for path in picture_paths(lr_folder)}
    for path in hr:
        if path.stem + ending not in lr:
            report(f"skipped {path}: {lr_folder} holds no {path.stem}{ending}")
    return [Source(path, lr[path.stem + ending]) for path in hr if path.stem + ending in lr]


def decode_all(entries: Sequence[Source], minimum: int, report: Report, memory_limit: int) -> Pairs | None:
    """Decode the pairs in their order; None where every one of them is skipped."""
    hr_bytes = sum(header_bytes(entry.hr) for entry in entries)
    lr_bytes = sum(header_bytes(entry.lr) if entry.lr else header_bytes(entry.hr) // SCALE**2 for entry in entries)
    mapped = lr_bytes + hr_bytes > memory_limit
    lr, hr = allocate(lr_bytes, mapped=mapped), allocate(hr_bytes, mapped=mapped)
    names: list[str] = []
    sizes: list[tuple[int, int]] = []
    used = 0
    for entry, result in zip(entries, decoded(entries, minimum), strict=True):
        if isinstance(result, InputError):
            report(f"skipped {entry.hr}: {result}")
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


def decoded(entries: Sequence[Source], minimum: int) -> Iterator[Decoded | InputError]:
    """Yield LR (h, w, 3) and HR (4h, 4w, 3) of every entry in order, or why it cannot be used.

    Threads decode a few pictures ahead, not all: decoded pictures wait in memory.
    """

    def attempt(entry: Source) -> Decoded | InputError:
        try:
            return decode(entry, minimum)
        except InputError as error:
            return error

    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        for start in range(0, len(entries), DECODED_AT_ONCE):
            yield from pool.map(attempt, entries[start : start + DECODED_AT_ONCE])


def decode(entry: Source, minimum: int) -> Decoded:
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


def header_bytes(path: Path) -> int:
    """Return the bytes of the picture as 8-bit RGB; 0 where the header is broken, which decoding then reports."""
    try:
        height, width = picture_size(path)
    except InputError:
        return 0
    return 3 * height * width


def allocate(count: int, *, mapped: bool) -> Tensor:
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


def main(argv: list[str] | None = None) -> int:
    """Fetch a data set."""
    parser = Parser(
        prog="python -m sr.data",
        description="Fetch DIV2K: 800 pictures to train on and 100 to validate on, with their LR.",
        example="python -m sr.data div2k --to data/DIV2K --parts valid",
    )
    parser.add_argument("dataset", choices=["div2k"], help="the data set to fetch")
    parser.add_argument("--to", type=Path, metavar="DIR", required=True, help="folder to fetch it into")
    parser.add_argument(
        "--parts", default="train,valid", metavar="LIST", help="train, valid or both (default train,valid)"
    )
    parser.add_argument(
        "--url", default=div2k.URL, metavar="BASE", help=f"where its archives are (default {div2k.URL})"
    )
    parser.add_argument(
        "--checksums", type=Path, metavar="FILE", help="lines of sha256 or md5 and archive name to check against"
    )
    arguments = parser.parse_args(argv)
    given = div2k.read_checksums(arguments.checksums) if arguments.checksums else {}
    div2k.fetch_all(arguments.to, div2k.parse_parts(arguments.parts), url=arguments.url, given=given, report=say)
    say(f"use it with --data {arguments.to} --val {arguments.to}")
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))
