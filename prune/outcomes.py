"""What methods came to, as reports take it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prune.config import PER_LAYER
from sr.errors import InputError
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.shipping import describe as describe_engines

DENSE = "dense"


@dataclass(frozen=True)
class Layer:
    """A convolution before and after.

    Attributes:
        name: Its name in the network.
        inputs: The channels that it reads in the dense network.
        outputs: Those that it writes there.
        kept_inputs: The channels that it reads now; 0 where it vanished.
        kept_outputs: Those that it writes now.
        dense_ms: What it took alone, in milliseconds; None where not measured.
        ms: What it takes now; None where not measured or gone.
    """

    name: str
    inputs: int
    outputs: int
    kept_inputs: int
    kept_outputs: int
    dense_ms: float | None
    ms: float | None


@dataclass(frozen=True)
class Reached:
    """How near a method came to the runtime that it was asked for; runtimes are shares of the dense one's.

    Attributes:
        asked: What was asked for.
        ratio: What the plan took when it was chosen.
        below: What the nearest plan took that was measured and takes no more than asked for; None where there is none.
        above: What the nearest took that takes more; None where there is none.
        nothing_between: Whether there is no plan between these two.
    """

    asked: float
    ratio: float
    below: float | None
    above: float | None
    nothing_between: bool


@dataclass(frozen=True)
class Outcome:
    """What one method came to; the one called "dense" is the network before it, without layers.

    Attributes:
        name: Begins with "per-layer" where it is our own method.
        measurement: With its quality, taken in the same rounds as all other outcomes'.
        layers: What became of each convolution.
        difference: The largest between the outputs of the masked and of the slim network, None where there is no
            masked one.
        reached: How near it came to the runtime that it was asked for; None where it was asked for none.
    """

    name: str
    measurement: Measurement
    layers: tuple[Layer, ...]
    difference: float | None
    reached: Reached | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is of our own method."""
        return self.name.startswith(PER_LAYER)

    @property
    def runtime_ms(self) -> float:
        """Median runtime."""
        return self.measurement.runtime.median_ms

    @property
    def quality(self) -> Quality:
        """The quality, which an outcome must have; raises InputError where it has none or a PSNR that is no number."""
        quality = self.measurement.quality
        if quality is None or not math.isfinite(quality.psnr):
            found = "none" if quality is None else quality.psnr
            raise InputError(f"a report takes outcomes with a finite PSNR, {self.name!r} has {found}; leave it out")
        return quality

    @property
    def psnr(self) -> float:
        """PSNR on RGB in dB."""
        return self.quality.psnr


@dataclass(frozen=True)
class Shipped:
    """The file of the engine that was asked for.

    Attributes:
        file: Its name, from the folder of results.
        engine: What runs it.
        engines: Its runtime there, and that of the same network in every other engine that is installed, by name.
        difference: The largest of ONNX from the network in torch.
    """

    file: str
    engine: str
    engines: Mapping[str, Runtime]
    difference: float

    @property
    def runtime(self) -> Runtime:
        """The runtime of the file."""
        return self.engines[self.engine]

    @property
    def lines(self) -> list[str]:
        """What is shipped, in plain words."""
        runtime = self.runtime
        own = f"shipped: {self.file} takes {runtime.median_ms:.3g} ms in {self.engine}, {runtime.precision}"
        return [own, describe_engines(self.engines)]


def parted(outcomes: Sequence[Outcome]) -> tuple[Outcome, list[Outcome], list[Outcome]]:
    """Return the dense outcome, ours and those of other methods; raises InputError unless one is "dense"."""
    dense = [each for each in outcomes if each.name == DENSE]
    if len(dense) != 1:
        raise InputError(f"a report takes exactly one outcome called {DENSE!r}, got {[each.name for each in outcomes]}")
    ours = [each for each in outcomes if each.is_ours]
    return dense[0], ours, [each for each in outcomes if each is not dense[0] and each not in ours]
