"""What leaves the house: the chosen network in files that engines run, and how good and fast those are."""

from pathlib import Path

from torch import Tensor, nn

from prune.outcomes import Shipped
from prune.setup import Setup
from sr.deployment import DTYPES
from sr.measure.latency import measure_subjects
from sr.measure.quality import Quality
from sr.progress import Progress
from sr.quantization.calibration import calibration_pictures
from sr.shipping import quality_in_engine, subjects
from sr.shipping import ship as write_files


def quality_of(network: nn.Module, setup: Setup) -> Quality:
    """Return the quality of a network's own output in the engine and the dtype that it is measured in."""
    return quality_in_engine(network, setup.target, setup.val, calibration_of(setup))


def ship(network: nn.Module, checkpoint: Path, setup: Setup, folder: Path) -> Shipped:
    """Write the chosen network as ONNX and as what the engine that was asked for runs, and measure those files.

    Args:
        network: The chosen one.
        checkpoint: Where it lies: what torch runs.
        setup: What all methods share.
        folder: Where the files go.

    Raises:
        ExportError: Where a file in floats computes something else than the network.
        InputError: Where the engine cannot run it.
    """
    plain = network.cpu().float().eval()
    with Progress("exporting", 2, "part", report=setup.report) as progress:
        progress.step(0, "files")
        files = write_files(plain, setup.target, folder, calibration_of(setup))
        progress.step(1, "their runtimes")
        engines = measure_subjects(subjects(files, plain), setup.timing.side_by_side)
        progress.step()
    shipped = files.own_one_size or checkpoint
    return Shipped(str(shipped.relative_to(folder)), setup.target.engine, engines, files.difference)


def calibration_of(setup: Setup) -> list[Tensor] | None:
    """Return what an 8-bit network's ranges are read off; None for floats."""
    return None if setup.target.dtype in DTYPES else calibration_pictures(setup.train)
