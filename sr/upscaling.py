"""Pictures upscaled x4 at their own depth, with their transparency, by whatever network a file holds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sr.checkpoint import load_network
from sr.config import UpscaleConfig
from sr.data.degradation import upscale_bicubic
from sr.data.images import Picture, Pixels, picture_paths, read_picture, write_picture
from sr.deployment import deploy
from sr.errors import InputError
from sr.exporting import load_onnx
from sr.files import StrPath
from sr.lr_size import SCALE
from sr.measure.target import parse_device
from sr.progress import Message, Report, no_report
from sr.tiling import upscale


@dataclass(frozen=True)
class Upscaled:
    """A picture that was upscaled: its file, the result and how long it took, reading and writing included."""

    picture: Path
    result: Path
    seconds: float


@dataclass(frozen=True)
class UpscaleResult:
    """What became of the pictures that were to be upscaled: those that were, and those that could not be read."""

    upscaled: tuple[Upscaled, ...]
    failed: tuple[Path, ...]


def upscale_files(config: UpscaleConfig, *, report: Report = no_report) -> UpscaleResult:
    """Upscale picture files into others; one that is broken does not stop the rest.

    Args:
        config: Which pictures, by which network.
        report: Is told of every picture, and why one failed.

    Returns:
        What was upscaled and what was not, in the order given.

    Raises:
        InputError: Where the network or a folder cannot be read, or two results would take the same name.
    """
    sources = [path for given in config.pictures for path in (picture_paths(given) if given.is_dir() else [given])]
    targets = _result_paths(sources, config.out)
    device = parse_device(config.device)
    network = load_upscaler(config.network, device)
    done: list[Upscaled] = []
    failed: list[Path] = []
    for source, target in zip(sources, targets, strict=True):
        began = time.perf_counter()
        try:
            _upscale_file(network, source, target, device=device, tile=config.tile or None)
        except InputError as error:
            report(Message(f"error: {error}", aside=True))
            failed.append(source)
            continue
        seconds = time.perf_counter() - began
        report(Message(f"{source} -> {target} ({seconds:.1f} s)"))
        done.append(Upscaled(source, target, seconds))
    return UpscaleResult(tuple(done), tuple(failed))


def load_upscaler(path: StrPath, device: torch.device | str = "cpu") -> nn.Module:
    """Read a network that runs: a checkpoint, deployed and on `device`, or an .onnx, which stays on the CPU.

    Returns:
        A network in eval mode: (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w).

    Raises:
        InputError: Where the file is missing or holds none.
    """
    if Path(path).suffix.lower() == ".onnx":
        return load_onnx(path)
    return deploy(load_network(path)).to(device)


def upscale_picture(
    network: Callable[[Tensor], Tensor],
    picture: Picture,
    *,
    device: torch.device | str = "cpu",
    tile: int | None = None,
) -> Picture:
    """Upscale a picture x4 at its own depth; alpha, which no network knows, by bicubic interpolation.

    Args:
        network: Maps (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w).
        picture: (h, w) pixels of 8 or 16 bit.
        device: Where the network is.
        tile: The side of a tile in LR pixels, None for none; see `sr.tiling.upscale`.

    Returns:
        A picture of (4h, 4w) pixels, clamped to its range.

    Raises:
        InputError: Where the network is not x4.
    """
    with torch.inference_mode():
        sr = upscale(network, _to_tensor(picture.rgb).to(device), tile=tile)
        rgb = _to_pixels(sr, picture.rgb.dtype)
        if picture.alpha is None:
            return Picture(rgb)
        alpha = upscale_bicubic(_to_tensor(np.repeat(picture.alpha[..., None], 3, axis=2)))
        return Picture(rgb, np.ascontiguousarray(_to_pixels(alpha, picture.rgb.dtype)[..., 0]))


def _result_paths(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Return where the upscaled `sources` go; InputError where two of them would take the same name."""
    taken: dict[Path, Path] = {}
    for source in sources:
        target = folder / f"{source.stem}_x{SCALE}.png"
        if target in taken:
            raise InputError(f"{taken[target]} and {source} would both become {target}; upscale them in separate runs")
        taken[target] = source
    return list(taken)


def _upscale_file(
    network: Callable[[Tensor], Tensor], source: Path, target: Path, *, device: torch.device, tile: int | None
) -> None:
    """Upscale one picture file into another; InputError where it is broken or does not fit into memory."""
    picture = read_picture(source)
    try:
        write_picture(target, upscale_picture(network, picture, device=device, tile=tile))
    except (MemoryError, torch.OutOfMemoryError) as error:
        height, width = picture.rgb.shape[:2]
        raise InputError(f"{source}: {width}x{height} does not fit into memory; use a smaller --tile") from error


def _to_tensor(pixels: NDArray[np.uint8 | np.uint16]) -> Tensor:
    """Turn (h, w, 3) of 8 or 16 bit into (1, 3, h, w) float32 in [0, 1]."""
    scaled = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return torch.from_numpy(scaled).permute(2, 0, 1)[None].contiguous()


def _to_pixels(sr: Tensor, dtype: np.dtype[np.uint8 | np.uint16]) -> Pixels:
    """Turn (1, 3, h, w) into (h, w, 3) of 8 or 16 bit: clamped to [0, 1], scaled, rounded."""
    scaled = (sr[0].float().clamp(0, 1) * float(np.iinfo(dtype).max)).round()
    pixels: Pixels = np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy().astype(dtype))
    return pixels
