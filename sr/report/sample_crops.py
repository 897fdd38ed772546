"""Which crops of validation pictures a run keeps: where our network and bicubic interpolation differ most."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sr.data.degradation import upscale_bicubic
from sr.data.images import Picture, write_picture
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.files import write_json
from sr.measure.metrics import psnr
from sr.report.samples import BICUBIC, HR, LISTED, LR, OURS
from sr.shipping import ShippedFiles, running
from sr.tiling import upscale

Upscaler = Callable[[Tensor], Tensor]

# Crops kept, their height and width in LR pixels, and of how many pictures at most they are chosen.
_KEPT, _HEIGHT, _WIDTH, _LOOKED_AT = 4, 60, 80, 20
# Places are compared this many LR pixels apart.
_STRIDE = 4


@dataclass(frozen=True)
class _Place:
    """A crop: the index of its picture, its upper left corner and its size in LR pixels, and how much differs there."""

    index: int
    top: int
    left: int
    height: int
    width: int
    difference: float


def keep_shipped_samples(folder: Path, shipped: ShippedFiles, network: nn.Module, val: Pairs) -> None:
    """Keep crops of validation pictures as the shipped file upscales them; see `keep_samples`.

    Args:
        folder: Where they go.
        shipped: The files.
        network: What they were made of: it upscales where torch is the engine.
        val: On the target's device.
    """
    keep_samples(folder, val, running(shipped, network))


def keep_samples(folder: Path, val: Pairs, ours: Upscaler, others: Mapping[str, Upscaler] | None = None) -> None:
    """Write the crops where ours and bicubic interpolation differ most, one of a picture, as PNG with a list of them.

    Args:
        folder: Where they go.
        val: The pictures, on the device of the upscalers.
        ours: Maps LR (n, 3, h, w) in [0, 1] to HR.
        others: More of these by name, to be seen beside it.

    Raises:
        InputError: Where the folder cannot be written.
    """
    count = min(_LOOKED_AT, len(val))
    looked_at = [index * len(val) // count for index in range(count)]
    places = sorted((_most_different(index, val, ours) for index in looked_at), key=lambda each: -each.difference)
    upscalers: dict[str, Upscaler] = {BICUBIC: partial(upscale_bicubic, scale=val.scale), OURS: ours, **(others or {})}
    write_json(folder / LISTED, [_written(folder, number, place, val, upscalers) for number, place in
                                 enumerate(places[:_KEPT])])  # fmt: skip


def add_rival(folder: Path, val: Pairs, name: str, rival: Upscaler) -> None:
    """Write the same crops as a hand-designed network upscales them; nothing where none were kept.

    Args:
        folder: That `keep_samples` wrote.
        val: The same pictures.
        name: What the network is called.
        rival: Maps LR to HR.
    """
    path = folder / LISTED
    if not path.is_file():
        return
    listed = json.loads(path.read_text(encoding="utf-8"))
    for number, each in enumerate(listed):
        if each["picture"] not in val.names:
            raise InputError(f"{path} is of other pictures: {each['picture']} is not among these; delete the folder")
        (top, left), (height, width) = each["corner"], each["size"]
        place = _Place(val.names.index(each["picture"]), top, left, height, width, difference=0.0)
        added = _written(folder, number, place, val, {name: rival})
        each["files"] |= added["files"]
        each["psnr"] |= added["psnr"]
    write_json(path, listed)


def _most_different(index: int, val: Pairs, ours: Upscaler) -> _Place:
    """Return the place of a picture where ours and bicubic differ most, in the mean square over the crop."""
    lr, _ = val.pair(index)
    height, width = min(_HEIGHT, lr.shape[2]), min(_WIDTH, lr.shape[3])
    with torch.inference_mode():
        bicubic = _upscaled(partial(upscale_bicubic, scale=val.scale), lr, val.scale)
        difference = (_upscaled(ours, lr, val.scale) - bicubic).square().mean(dim=1, keepdim=True)
    # At LR size, so that corners are whole LR pixels.
    small = F.adaptive_avg_pool2d(difference, (lr.shape[2], lr.shape[3]))
    means = F.avg_pool2d(small, (height, width), stride=_STRIDE)[0, 0]
    best = int(means.argmax())
    row, column = divmod(best, means.shape[1])
    return _Place(index, _STRIDE * row, _STRIDE * column, height, width, float(means.flatten()[best]))


def _written(
    folder: Path, number: int, place: _Place, val: Pairs, upscalers: Mapping[str, Upscaler]
) -> dict[str, object]:
    """Write the PNGs of one place, LR and HR too, and return its entry in the list."""
    lr, hr = val.pair(place.index)
    scale = val.scale
    rows = slice(scale * place.top, scale * (place.top + place.height))
    columns = slice(scale * place.left, scale * (place.left + place.width))
    whole = lr[..., place.top : place.top + place.height, place.left : place.left + place.width]
    crops = {LR: whole, HR: hr[..., rows, columns].float() / 255}
    scores = dict[str, float]()
    with torch.inference_mode():
        for name, upscaler in upscalers.items():
            crops[name] = _upscaled(upscaler, lr, scale)[..., rows, columns]
            scores[name] = round(psnr(crops[name], hr[..., rows, columns], border=scale), 3)
    files = {name: f"{number}-{_file_name(name)}.png" for name in crops}
    for name, crop in crops.items():
        write_picture(folder / files[name], Picture(_pixels(crop)))
    corner, size = [place.top, place.left], [place.height, place.width]
    return {"picture": val.names[place.index], "corner": corner, "size": size, "files": files, "psnr": scores}


def _upscaled(upscaler: Upscaler, lr: Tensor, scale: int) -> Tensor:
    """Return a picture upscaled whole, in [0, 1]."""
    return upscale(upscaler, lr, tile=None, scale=scale).clamp(0, 1)


def _pixels(crop: Tensor) -> NDArray[np.uint8]:
    """Return (1, 3, h, w) in [0, 1] as (h, w, 3) uint8."""
    pixels: NDArray[np.uint8] = (255 * crop[0]).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels


def _file_name(name: str) -> str:
    """Return a name as files have it."""
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-").lower()
