"""A network as files that other programs run, each measured and judged as the file that it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from sr.data.pairs import Pairs
from sr.exporting import export_for, export_onnx
from sr.lr_size import size_text
from sr.measure.engines.network import EngineNetwork, of_any_size, open_network
from sr.measure.engines.registry import FILE_ENGINES, file_engine_of, usable
from sr.measure.latency import Runtime, Subject
from sr.measure.quality import Quality, evaluate
from sr.measure.target import Target

# Its compiler takes many seconds a network, and what it makes cannot be shipped.
_NOT_COMPARED = "torch-compile"


@dataclass(frozen=True)
class ShippedFiles:
    """The files of a network.

    Attributes:
        target: What it is for.
        any_size: ONNX that takes pictures of any size.
        one_size: ONNX for one picture of the target's size, which is a little faster.
        own_any_size: The target's engine's own file for pictures of any size; None where that engine is torch.
        own_one_size: The same for one picture of the target's size: what its runtime is of.
        difference: Of ONNX from the network in torch, at its largest.
    """

    target: Target
    any_size: Path
    one_size: Path
    own_any_size: Path | None
    own_one_size: Path | None
    difference: float


def ship(network: nn.Module, target: Target, folder: Path, calibration: Sequence[Tensor] | None = None) -> ShippedFiles:
    """Write a network as ONNX and as what the target's engine runs.

    Args:
        network: Deployed, in eval mode; left as it is.
        target: Its engine, its size and its dtype.
        folder: Where network.onnx, network-256x256.onnx (or whatever the size is) and the engine's own files go.
        calibration: LR pictures (1, 3, h, w) that an int8 network is calibrated on.

    Raises:
        ExportError: Where ONNX computes something else than the network.
        InputError: Where the engine cannot run it, or a file cannot be written.
    """
    size = size_text(target.lr_size)
    any_size, one_size = folder / "network.onnx", folder / f"network-{size}.onnx"
    difference = export_onnx(network, any_size)
    export_onnx(network, one_size, lr_size=target.lr_size)
    if target.engine not in FILE_ENGINES:
        return ShippedFiles(target, any_size, one_size, None, None, difference)
    engine, kind = file_engine_of(target), "-int8" if target.dtype == "int8" else ""
    own = folder / f"network{kind}{engine.ending}", folder / f"network{kind}-{size}{engine.ending}"
    for path, free_size in zip(own, (True, False), strict=True):
        if path in (any_size, one_size):
            continue
        if target.dtype == "float32":
            export_for(target, network, path, free_size=free_size)
        else:
            # What is rounded differs from the network by more than an export may: its quality tells.
            engine.write(network, target, path, free_size=free_size, calibration=calibration)
    return ShippedFiles(target, any_size, one_size, *own, difference)


def subjects(shipped: ShippedFiles, network: nn.Module) -> dict[str, Subject]:
    """Return what is timed in each engine that is installed, by its name; the target's own first.

    Args:
        shipped: The files.
        network: What they were made of; torch runs it.
    """
    target = shipped.target
    own = shipped.own_one_size or network
    found = {target.engine: Subject(own, target)}
    # The others run the float file: it is what they are given, whatever the target's own is.
    for other in usable(Target(target.device, target.lr_size)):
        if other.engine in ("onnxruntime", "openvino"):
            found.setdefault(other.engine, Subject(shipped.one_size, other))
        elif other.engine != _NOT_COMPARED:
            found.setdefault(other.engine, Subject(network, other))
    return found


def judge(shipped: ShippedFiles, network: nn.Module, val: Pairs) -> Quality:
    """Return the quality of the output of the file itself; of the network in torch where that is what runs.

    Args:
        shipped: The files.
        network: What they were made of, on the target's device.
        val: What it is judged on, on the same device.
    """
    return evaluate(running(shipped, network), val, shipped.target.device)


def running(shipped: ShippedFiles, network: nn.Module) -> EngineNetwork:
    """Return the file itself in its engine, for pictures of any size; the network in torch where that is what runs."""
    own, target = shipped.own_any_size, shipped.target
    return of_any_size(network, target) if own is None else open_network(own, target)


def quality_in_engine(
    network: nn.Module, target: Target, val: Pairs, calibration: Sequence[Tensor] | None = None
) -> Quality:
    """Return the quality of a network's own output in an engine, written there for the while.

    Args:
        network: Deployed, in eval mode.
        target: The engine, its device and dtype.
        val: What it is judged on, on that device.
        calibration: As of `ship`.

    Raises:
        InputError: Where the engine cannot run it.
    """
    return evaluate(of_any_size(network, target, calibration=calibration), val, target.device)


def describe(runtimes: Mapping[str, Runtime]) -> str:
    """Say what a network takes in each engine."""
    listed = [f"{name} {each.median_ms:.1f} ms ({each.precision})" for name, each in runtimes.items()]
    return f"The same network in every engine here: {', '.join(listed)}."
