"""Picture files upscaled with all that they carry, by whatever network a file holds; a bad one stops no other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sr.checkpoint import load, load_network, one_line
from sr.config import UpscaleConfig
from sr.constraints import AUTO
from sr.deployment import deploy
from sr.errors import InputError
from sr.file_engines import file_engine, is_checkpoint, lr_size_of
from sr.files import StrPath, make_folder
from sr.measure.allocator import keep_freed_memory
from sr.measure.engines.network import EngineNetwork, of_any_size, open_network
from sr.measure.engines.registry import engine_of, usable
from sr.measure.target import Target
from sr.memory import is_out_of_memory
from sr.network_scale import scale_of
from sr.pictures.enlarging import Enlarger, Tiles
from sr.pictures.names import Found, Planned, describe, find, identity
from sr.pictures.picture import FrameRows, Picture, Pixels
from sr.pictures.reading import frames_of, opened
from sr.pictures.writing import FORMATS, format_for, lost_in, opaque, require_room, write
from sr.printable import printable
from sr.progress import Message, Progress, Report, no_report
from sr.scale import DEFAULT_SCALE
from sr.tiling import MULTIPLES, OVERLAP, upscale_at_multiple, upscale_at_size

# LR pixels from which on a picture takes a while.
_LARGE = 10**6


@dataclass(frozen=True)
class Upscaled:
    """A picture that was upscaled: its file, the result and how long it took, reading and writing included."""

    picture: Path
    result: Path
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A picture or folder that came to nothing, and why, in one line."""

    picture: Path
    reason: str


@dataclass(frozen=True)
class UpscaleResult:
    """What became of the pictures that were to be upscaled.

    Attributes:
        upscaled: Those that were.
        skipped: Those whose result was there already.
        failed: Those that could not be read, run or written, and folders without a picture.
        left_out: How many files of folders were left out, by reason.
        engine: What ran the network.
        precision: What it really ran in.
        scale: How many times as high and wide the results are.
    """

    upscaled: tuple[Upscaled, ...]
    skipped: tuple[Path, ...]
    failed: tuple[Failed, ...]
    left_out: dict[str, int]
    engine: str
    precision: str
    scale: int

    @property
    def total(self) -> int:
        """How many pictures there were, those that failed included."""
        return len(self.upscaled) + len(self.skipped) + len(self.failed)


def upscale_files(config: UpscaleConfig, *, report: Report = no_report) -> UpscaleResult:
    """Upscale picture files into others; whatever one of them raises is one line and stops none of the rest.

    Args:
        config: Which pictures, by which network.
        report: Is told in what the network runs, of every picture and what is not kept of it, and why one failed.

    Returns:
        What was upscaled and what was not, in the order given.

    Raises:
        InputError: Where the network cannot be read, there is no picture at all, two results would take the same name,
            or the folder for them cannot be made.
    """
    target = target_of_file(config.network, config.device, config.engine, config.dtype)
    network = load_upscaler(config.network, target)
    found = find(config.pictures, config.out, scale=network.scale, recursive=config.recursive)
    if not found.planned:
        path, reason = found.unreadable[0]
        raise InputError(printable(f"{path}: {reason}"))
    make_folder(config.out)
    report(Message(place_line(config.network, target, network)))
    if found.left_out:
        report(Message(describe(found.left_out), aside=True))
    run = _Run(config, network, target, found, report)
    failed = [run.failed(path, reason) for path, reason in found.unreadable]
    upscaled, skipped = [], []
    with Progress("upscaling", len(found.planned), "picture", report=report) as progress:
        for planned in found.planned:
            outcome = run.outcome(planned)
            if isinstance(outcome, Failed):
                failed.append(outcome)
            elif isinstance(outcome, Upscaled):
                upscaled.append(outcome)
            else:
                skipped.append(planned.source)
            progress.step(note=printable(planned.source.name))
    outcomes = tuple(upscaled), tuple(skipped), tuple(failed), found.left_out
    return UpscaleResult(*outcomes, target.engine, network.precision, network.scale)


class _Run:
    """Upscales one picture after another and says what became of each."""

    def __init__(
        self, config: UpscaleConfig, network: "Upscaler", target: Target, found: Found, report: Report
    ) -> None:
        self._config, self._report, self._scale = config, report, network.scale
        tiles = tiles_of(network, config.tile)
        self._enlarger = Enlarger(network, scale=network.scale, device=target.device, tiles=tiles, report=report)
        self._sources = {identity(planned.source) for planned in found.planned}

    def outcome(self, planned: Planned) -> Upscaled | Failed | None:
        """Upscale a picture; None where its result is there already, and that is to be left alone."""
        began = time.perf_counter()
        try:
            result = self._upscale(planned)
        except Exception as error:  # noqa: BLE001 - whatever one picture raises is one line, and the rest goes on
            return self.failed(planned.source, _reason(error))
        if result is None:
            return None
        seconds = time.perf_counter() - began
        self._report(Message(printable(f"{planned.source} -> {result} ({seconds:.1f} s)")))
        return Upscaled(planned.source, result, seconds)

    def failed(self, path: Path, reason: str) -> Failed:
        """Say why something came to nothing, and return that."""
        line = printable(reason if str(path) in reason else f"{path}: {reason}")
        self._report(Message(f"error: {line}", aside=True))
        return Failed(path, line)

    def _upscale(self, planned: Planned) -> Path | None:
        config = self._config
        name = format_for(*frames_of(planned.source), config.format)
        result = planned.stem.with_name(planned.stem.name + FORMATS[name].suffix)
        if config.skip_existing and result.is_file():
            return None
        if identity(result) in self._sources:
            raise InputError(f"its result {result} is itself one of the pictures; name another folder by --out")
        with opened(planned.source, max_pixels=config.max_pixels, srgb=config.to_srgb, scale=self._scale) as picture:
            frames = self._enlarged(planned.source, picture, name)
            quality = config.quality_level
            write(result, name, frames, picture.metadata, count=picture.count, quality=quality)
        return result

    def _enlarged(self, source: Path, picture: Picture, name: str) -> Iterator[FrameRows]:
        """Yield the frames as they are written; InputError where the format cannot hold one."""
        for index, frame in enumerate(picture.frames):
            kept = frame if FORMATS[name].alpha else opaque(frame)
            enlarged = self._enlarger.enlarged(kept)
            require_room(name, enlarged.layout, picture.count, moving=picture.moving)
            if index == 0:
                self._say_what_is_lost(source, picture, name, enlarged)
            yield self._reported(source, enlarged) if kept.layout.height * kept.layout.width > _LARGE else enlarged

    def _reported(self, source: Path, frame: FrameRows) -> FrameRows:
        """Return a frame that tells how far it is while it is made."""

        def bands() -> Iterator[Pixels]:
            label = printable(f"upscaling {source.name}")
            with Progress(label, frame.layout.height, "row", report=self._report) as progress:
                for band in frame.bands:
                    progress.step(len(band))
                    yield band

        return replace(frame, bands=bands())

    def _say_what_is_lost(self, source: Path, picture: Picture, name: str, frame: FrameRows) -> None:
        for note in picture.notes:
            self._report(Message(printable(f"{source}: {note}"), aside=True))
        lost = lost_in(name, picture.metadata, frame.layout, moving=picture.moving)
        if lost:
            what = f"its {', '.join(lost)} cannot be kept in {FORMATS[name].suffix}"
            self._report(Message(printable(f"{source}: {what}"), aside=True))


def _reason(error: Exception) -> str:
    """Say in one line why a picture came to nothing."""
    if is_out_of_memory(error):
        what = one_line(error, 200)
        return what if "memory does not suffice" in what else f"it does not fit into memory: {what or 'MemoryError'}"
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or one_line(error, 200)}"
    return f"{type(error).__name__}: {one_line(error, 200)}"


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
        InputError: Where the file is missing, or holds no network that the engine can run and whose scale is one of
            `sr.scale.SCALES`.
    """
    path = Path(path)
    target = target_of_file(path, "cpu") if target is None else target
    if target.device.type == "cpu":
        keep_freed_memory()
    if not is_checkpoint(path):
        network, lr_size = open_network(path, target), lr_size_of(path)
        try:
            return Upscaler(path, network, lr_size, scale_of(network, lr_size, target.device))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    scale = load(path).description.scale
    return Upscaler(path, of_any_size(deploy(load_network(path)), target), scale=scale)


class Upscaler(nn.Module):
    """The network of a file in its engine: (n, 3, h, w) float32 in [0, 1] -> (n, 3, scale*h, scale*w), on lr's device.

    One that takes a single size sees pictures of others in windows of it that overlap; one that takes multiples of
    some number sees them padded by repetition, and which number that is is found when it refuses the first.
    """

    def __init__(
        self,
        path: Path,
        network: EngineNetwork,
        lr_size: tuple[int | None, int | None] = (None, None),
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.lr_size, self.scale = lr_size, scale
        self._path, self._network, self._multiple = path, network, 1

    @property
    def precision(self) -> str:
        """What its convolutions really run in."""
        return self._network.precision

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch.

        Raises:
            InputError: Where the engine does not run this size, nor one that it is padded to.
            MemoryError: Where the engine says so, in whatever way it does.
        """
        height, width = lr.shape[2:]
        if self.lr_size != (None, None):
            size = (self.lr_size[0] or height, self.lr_size[1] or width)
            return upscale_at_size(self._run, lr, size, scale=self.scale)
        try:
            return upscale_at_multiple(self._run, lr, self._multiple, self.scale)
        except InputError as error:
            refused = error
        for multiple in MULTIPLES:
            if multiple <= self._multiple:
                continue
            try:
                sr = upscale_at_multiple(self._run, lr, multiple, self.scale)
            except InputError:
                continue
            self._multiple = multiple
            return sr
        raise refused

    def _run(self, lr: Tensor) -> Tensor:
        try:
            sr: Tensor = self._network(lr)
        except (InputError, RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            height, width = lr.shape[2:]
            raise InputError(
                f"{self._path} does not run a picture of {width}x{height}; one that was exported for one size runs no "
                f"other, export it with --lr-size free: {one_line(error)}"
            ) from error
        return sr


def tiles_of(network: Upscaler, asked: int) -> Tiles:
    """Return how large pictures are cut: for a network of one size into tiles that it runs once each.

    Args:
        network: What runs the tiles.
        asked: The side that the user named, 0 for none.
    """
    if network.lr_size == (None, None):
        return Tiles((asked, asked) if asked else None)
    free = asked + 2 * OVERLAP if asked else 2**31
    height, width = (side or free for side in network.lr_size)
    overlap = min(OVERLAP, min(height, width) // 4)
    least = (network.lr_size[0] or 0, network.lr_size[1] or 0)
    return Tiles((height - 2 * overlap, width - 2 * overlap), overlap, least)


def place_line(path: StrPath, target: Target, network: Upscaler) -> str:
    """Return in words of which scale a network is, what it runs in, and how precisely it really does."""
    # What a file that is an engine's own runs in, the file says.
    as_asked = network.precision == target.dtype or not is_checkpoint(Path(path))
    note = "" if as_asked else f", though {target.dtype} was asked for"
    return f"{path}, x{network.scale}, in {target.engine} on {target.device}, {network.precision}{note}"
