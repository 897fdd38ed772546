"""One network's point on the plot: what it costs, how long it takes, how good it is, and on what that was measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from sr.constraints import of_declared_types
from sr.errors import InputError
from sr.measure.complexity import Complexity, count
from sr.measure.latency import Protocol, Runtime, measure_runtimes
from sr.measure.quality import Quality
from sr.measure.target import Conditions, Target

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Made = TypeVar("_Made", bound="DataclassInstance")


@dataclass(frozen=True)
class Measurement:
    """Counts, runtime and quality of one network.

    Attributes:
        complexity: What it costs by counting.
        runtime: How long it takes.
        conditions: What that was measured on.
        reference_ms: Median of the reference network timed in the same rounds, so that ratios survive a drift of the
            device's clock; None where there was none.
        quality: None where the network was not trained, as over the budget.
    """

    complexity: Complexity
    runtime: Runtime
    conditions: Conditions
    reference_ms: float | None
    quality: Quality | None = None

    @property
    def memory(self) -> int:
        """Bytes at the peak: as the device tells, else counted from the tensors alive."""
        return self.runtime.memory or self.complexity.memory

    def within(self, budget_ms: float) -> bool:
        """Return whether nine runs of ten stay within the budget."""
        return self.runtime.p90_ms <= budget_ms

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal measurement."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Measurement":
        """Make the measurement that `to_json` described.

        Raises:
            KeyError: Where a field is missing.
            TypeError: Where one is unknown.
        """
        conditions = values["conditions"]
        return cls(
            complexity=of_json(Complexity(**values["complexity"])),
            runtime=of_json(Runtime(**values["runtime"])),
            conditions=of_json(Conditions(**{**conditions, "lr_size": tuple(conditions["lr_size"])})),
            reference_ms=values["reference_ms"],
            quality=None if values["quality"] is None else of_json(Quality(**values["quality"])),
        )


def of_json(made: _Made) -> _Made:
    """Return a dataclass that was made of JSON; raises TypeError where a value is of another type than it declares."""
    try:
        of_declared_types(made)
    except InputError as error:
        raise TypeError(str(error)) from error
    return made


def measure(
    networks: Mapping[str, nn.Module],
    target: Target,
    protocol: Protocol = Protocol(),
    *,
    reference: str | None = None,
) -> dict[str, Measurement]:
    """Count networks and measure them in the same rounds, alone on the target's device.

    Args:
        networks: By name, each mapping (n, 3, h, w) in [0, 1] to (n, 3, s*h, s*w); counted and timed in deployed form,
            and left as they are.
        target: What they are measured on.
        protocol: How long and how often they are timed.
        reference: The name of the network whose median becomes every measurement's `reference_ms`.

    Returns:
        The measurement of each network by its name, without quality.

    Raises:
        torch.OutOfMemoryError: Where a network does not fit into a GPU's memory.
    """
    complexities = {name: count(network, target.lr_size) for name, network in networks.items()}
    runtimes = measure_runtimes(networks, target, protocol)
    reference_ms = None if reference is None else runtimes[reference].median_ms
    conditions = target.conditions
    return {name: Measurement(complexities[name], runtimes[name], conditions, reference_ms) for name in networks}
