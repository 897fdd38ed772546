"""A runner of any engine as a network of torch: what judges pictures takes it like one of its own."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from sr.deployment import in_dtype
from sr.errors import InputError
from sr.files import StrPath
from sr.measure.engines.engine import Runner
from sr.measure.engines.registry import FILE_ENGINES, engine_of
from sr.measure.target import Target


class EngineNetwork(nn.Module):
    """A network in an engine: (n, 3, h, w) float32 in [0, 1] -> (n, 3, s*h, s*w), on lr's device; no gradients."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.runner = runner

    @property
    def precision(self) -> str:
        """What its convolutions really run in."""
        return self.runner.precision

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch."""
        return self.runner.run(lr)


def as_judged(network: nn.Module, target: Target) -> nn.Module:
    """Return what short trainings are judged by: the network in the target's dtype where torch runs it.

    In another engine it is the network itself: the output of what is shipped is judged once there is a file.
    """
    return network if target.engine in FILE_ENGINES else in_dtype(network, target.dtype)


def of_any_size(
    network: nn.Module,
    target: Target,
    *,
    memory_format: str = "contiguous",
    calibration: Sequence[Tensor] | None = None,
) -> EngineNetwork:
    """Return a network in the target's engine for pictures of any size: for other engines than torch by its file.

    Args:
        network: Deployed, in eval mode; left as it is.
        target: The engine, device and dtype.
        memory_format: One of the engine's.
        calibration: LR pictures (1, 3, h, w) that an int8 network is calibrated on; None for random ones.

    Raises:
        InputError: Where the engine cannot run it, or compiles it anew for each size.
    """
    engine = engine_of(target)
    if target.engine == "torch-compile":
        raise InputError("--engine torch-compile compiles a network anew for each size of picture; name another engine")
    if target.engine not in FILE_ENGINES:
        return EngineNetwork(engine.prepare(network, target, memory_format=memory_format))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"network{engine.ending}"
        FILE_ENGINES[target.engine].write(network, target, path, free_size=True, calibration=calibration)
        opened = EngineNetwork(engine.open(path, target))
        # An engine may tell it by the file, which is gone afterwards.
        _ = opened.precision
        return opened


def open_network(path: StrPath, target: Target) -> EngineNetwork:
    """Read a network from a file, to be run by the target's engine.

    Args:
        path: What that engine runs: a checkpoint, ONNX, OpenVINO's IR, a TensorRT plan.
        target: The device, dtype and engine; the size is that of the file, any where that is free.

    Raises:
        InputError: Where the file holds no network of this engine.
    """
    return EngineNetwork(engine_of(target).open(Path(path), target))
