"""A runner of any engine as a network of torch: what judges pictures takes it like one of its own."""

from pathlib import Path

from torch import Tensor, nn

from sr.deployment import in_dtype
from sr.files import StrPath
from sr.measure.engines.engine import Runner
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target


class EngineNetwork(nn.Module):
    """A network in an engine: (n, 3, h, w) float32 in [0, 1] -> (n, 3, 4h, 4w), on lr's device; no gradients."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner

    @property
    def precision(self) -> str:
        """What its convolutions really run in."""
        return self._runner.precision

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch."""
        return self._runner.run(lr)


def as_judged(network: nn.Module, target: Target) -> nn.Module:
    """Return what short trainings are judged by: the network in the target's dtype where torch runs it.

    In another engine it is the network itself: the output of what is shipped is judged once there is a file.
    """
    return in_dtype(network, target.dtype) if target.engine.startswith("torch") else network


def open_network(path: StrPath, target: Target) -> EngineNetwork:
    """Read a network from a file, to be run by the target's engine.

    Args:
        path: What that engine runs: a checkpoint, ONNX, OpenVINO's IR, a TensorRT plan.
        target: The device, dtype and engine; the size is that of the file, any where that is free.

    Raises:
        InputError: Where the file holds no network of this engine.
    """
    return EngineNetwork(engine_of(target).open(Path(path), target))
