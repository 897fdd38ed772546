"""What leaves the house: the chosen network in files that engines run, and how good and fast those are."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from prune.outcomes import Outcome, Shipped
from prune.setup import Setup
from sr.deployment import DTYPES, in_dtype
from sr.exporting import TOLERANCE, check_parity, parity
from sr.lr_size import size_text
from sr.measure.engines.network import open_network
from sr.measure.engines.registry import engine_of
from sr.measure.latency import Subject, measure_subjects
from sr.measure.quality import Quality, evaluate

# Engines that run the checkpoint itself: there is no other file.
_RUN_CHECKPOINTS = ("torch", "torch-compile")
# Training pictures that the ranges of an 8-bit network are read off.
_CALIBRATED_ON = 16


def quality_of(network: nn.Module, setup: Setup) -> Quality:
    """Return the quality of a network's own output in the engine and the dtype that it is measured in."""
    target = setup.target
    if target.engine in _RUN_CHECKPOINTS:
        return evaluate(in_dtype(network, target.dtype).to(target.device), setup.val, target.device)
    engine = engine_of(target)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"network{engine.ending}"
        engine.write(network.cpu(), target, path, free_size=True, calibration=calibration_of(setup))
        return evaluate(open_network(path, target), setup.val)


def ship(network: nn.Module, outcome: Outcome, setup: Setup, folder: Path) -> Shipped:
    """Write the file of the engine that was asked for, for pictures of the size that runtimes are for, and measure it.

    Args:
        network: The chosen one.
        outcome: What it came to.
        setup: What all methods share.
        folder: Where it is written, as network-WxH with the engine's ending; a checkpoint lies there already.

    Raises:
        ExportError: Where a file in floats computes something else than the network.
        InputError: Where the engine cannot run it.
    """
    target, runtime = setup.target, outcome.measurement.runtime
    if target.engine in _RUN_CHECKPOINTS:
        return Shipped("network.pth", target.engine, runtime.precision, runtime, 0.0)
    engine = engine_of(target)
    path = folder / f"network-{size_text(target.lr_size)}{engine.ending}"
    plain = network.cpu().float().eval()
    engine.write(plain, target, path, calibration=calibration_of(setup))
    difference = parity(plain, open_network(path, target), [target.lr_size])
    if target.dtype == "float32":
        _check(path, difference)
    name = "shipped"
    measured = measure_subjects({name: Subject(path, target)}, setup.timing.side_by_side)[name]
    return Shipped(path.name, target.engine, measured.precision, measured, difference)


def _check(path: Path, difference: float) -> None:
    """Remove a file that computes something else than its network, and raise ExportError."""
    if not difference <= TOLERANCE:
        path.unlink()
    check_parity(path, difference)


def calibration_of(setup: Setup) -> list[Tensor] | None:
    """Return LR pictures (1, 3, h, w) in [0, 1] that an 8-bit network's ranges are read off; None for floats."""
    if setup.target.dtype in DTYPES:
        return None
    count = min(_CALIBRATED_ON, len(setup.train))
    return [torch.as_tensor(setup.train.pair(number)[0]).cpu() for number in range(count)]
