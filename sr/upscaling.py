"""Pictures upscaled x4 at their own depth, with their transparency, by whatever network a file holds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sr.checkpoint import load_network
from sr.config import UpscaleConfig
from sr.constraints import AUTO
from sr.data.degradation import upscale_bicubic
from sr.data.images import Picture, Pixels, picture_paths, read_picture, write_picture
from sr.deployment import deploy
from sr.errors import InputError
from sr.file_engines import file_engine, is_checkpoint
from sr.files import StrPath
from sr.lr_size import SCALE
from sr.measure.allocator import keep_freed_memory
from sr.measure.engines.network import EngineNetwork, of_any_size, open_network
from sr.measure.engines.registry import engine_of, usable
from sr.measure.target import Target
from sr.memory import is_out_of_memory
from sr.progress import Message, Report, no_report
from sr.tiling import upscale_in_memory


@dataclass(frozen=True)
class Upscaled:
    """A picture that was upscaled: its file, the result and how long it took, reading and writing included."""

    picture: Path
    result: Path
    seconds: float


@dataclass(frozen=True)
class UpscaleResult:
    """What became of the pictures that were to be upscaled.

    Attributes:
        upscaled: Those that were.
        failed: Those that could not be read, or that the network did not run.
        engine: What ran the network.
        precision: What it really ran in.
    """

    upscaled: tuple[Upscaled, ...]
    failed: tuple[Path, ...]
    engine: str
    precision: str


def upscale_files(config: UpscaleConfig, *, report: Report = no_report) -> UpscaleResult:
    """Upscale picture files into others; one that is broken does not stop the rest.

    Args:
        config: Which pictures, by which network.
        report: Is told in what the network runs, of every picture, and why one failed.

    Returns:
        What was upscaled and what was not, in the order given.

    Raises:
        InputError: Where the network or a folder cannot be read, or two results would take the same name.
    """
    sources = [path for given in config.pictures for path in (picture_paths(given) if given.is_dir() else [given])]
    results = _result_paths(sources, config.out)
    target = target_of_file(config.network, config.device, config.engine, config.dtype)
    network = load_upscaler(config.network, target)
    report(Message(place_line(config.network, target, network)))
    done: list[Upscaled] = []
    failed: list[Path] = []
    for source, result in zip(sources, results, strict=True):
        began = time.perf_counter()
        try:
            _upscale_file(network, source, result, device=target.device, tile=config.tile or None)
        except InputError as error:
            report(Message(f"error: {error}", aside=True))
            failed.append(source)
            continue
        seconds = time.perf_counter() - began
        report(Message(f"{source} -> {result} ({seconds:.1f} s)"))
        done.append(Upscaled(source, result, seconds))
    return UpscaleResult(tuple(done), tuple(failed), target.engine, network.precision)


def target_of_file(path: StrPath, device: str = "auto", engine: str = AUTO, dtype: str = "float32") -> Target:
    """Return what a network in a file runs on.

    Args:
        path: The file.
        device: auto, cpu, cuda or cuda:N; auto is the CPU where the engine does not run on the GPU that there is.
        engine: auto, or what is to run it; see `sr.file_engines.file_engine`.
        dtype: One of `sr.config.FLOAT_DTYPES`.

    Raises:
        InputError: Where the device is not there, or the engine is not installed or does not run the dtype there.
    """
    target = Target.of(device, dtype=dtype, engine=file_engine(Path(path), engine))
    if device == "auto" and not usable(target, (target.engine,)):
        target = replace(target, device=torch.device("cpu"))
    engine_of(target)
    return target


def load_upscaler(path: StrPath, target: Target | None = None) -> "Upscaler":
    """Read a network from a file to upscale pictures of any size with it.

    Args:
        path: A checkpoint, which is deployed and, where the engine is not torch, exported for it; or a file that the
            target's engine runs.
        target: The device, dtype and engine; None for what such a file is for, on the CPU.

    Raises:
        InputError: Where the file is missing or holds no network that the engine can run.
    """
    path = Path(path)
    target = target_of_file(path, "cpu") if target is None else target
    if target.device.type == "cpu":
        keep_freed_memory()
    if not is_checkpoint(path):
        return Upscaler(path, open_network(path, target))
    return Upscaler(path, of_any_size(deploy(load_network(path)), target))


class Upscaler(nn.Module):
    """The network of a file in its engine: (n, 3, h, w) float32 in [0, 1] -> (n, 3, 4h, 4w), on lr's device."""

    def __init__(self, path: Path, network: EngineNetwork) -> None:
        super().__init__()
        self._path, self._network = path, network

    @property
    def precision(self) -> str:
        """What its convolutions really run in."""
        return self._network.precision

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; InputError where the engine does not run this size."""
        try:
            sr: Tensor = self._network(lr)
        except InputError as error:
            height, width = lr.shape[2:]
            raise InputError(
                f"{self._path} does not run a picture of {width}x{height}; one that was exported for one size runs no "
                f"other, export it with --lr-size free: {error}"
            ) from error
        return sr


def place_line(path: StrPath, target: Target, network: Upscaler) -> str:
    """Return in words what a network runs in, and how precisely it really does."""
    # What a file that is an engine's own runs in, the file says.
    as_asked = network.precision == target.dtype or not is_checkpoint(Path(path))
    note = "" if as_asked else f", though {target.dtype} was asked for"
    return f"{path} in {target.engine} on {target.device}, {network.precision}{note}"


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
        # Put together on the CPU: SR has 16 times the pixels, and its floats would fill a GPU.
        sr = upscale_in_memory(network, _to_tensor(picture.rgb), tile=tile, device=torch.device(device))
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
    except Exception as error:
        if not is_out_of_memory(error):
            raise
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
